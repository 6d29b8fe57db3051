"""The synthetic world in KITTI's format: one camera, 64 beams, text labels in the camera's frame.

The same streets and objects as nuScenes' synthetic world, seen by the car of KITTI. What rewards fusion there
does so here: a picture of a car or a painted post has the colour and not the shape, a far motorcycle (Misc)
and a bicycle (Cyclist) differ in colour.
"""
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

from geminifusion3d.geometry.frames import invert_pose, transform_points
from geminifusion3d.kitti.labels import DONT_CARE, Label
from geminifusion3d.picture_files import encode

from .annotations import count_points, visible_share
from .camera import pixel_rays, take_picture
from .categories import class_of
from .lidar import beam_directions, scan
from .own_folder import own_scenes, write_own_file
from .scene_simulation import SceneJob, SceneSimulation
from .seeding import make_rng
from .world import Moment

MARK = '.synthetic_kitti.json'
SIZE_WH = (1224, 370)
RINGS, COLUMNS, ELEVATION_DEG = 64, 1024, (-24.8, 2.0)
PERIOD_S = 0.5
LABELLED_M, LEAST_SHARE, LEAST_HEIGHT_PX, LEAST_DEPTH_M = 70.0, 0.1, 10.0, 2.0
# Below these visible shares an object is partly and largely hidden.
HIDDEN_SHARES = (0.4, 0.75)
_FOCAL_PX, _CENTRE_PX, _BASELINE_M = 707.0, (604.0, 180.5), 0.06
_CLASS_BY_CATEGORY = {
    'vehicle.car': 'Car', 'vehicle.emergency.police': 'Car', 'vehicle.truck': 'Truck', 'vehicle.construction':
    'Truck', 'vehicle.emergency.ambulance': 'Van', 'vehicle.bus': 'Misc', 'vehicle.trailer': 'Misc',
    'vehicle.motorcycle': 'Misc', 'vehicle.bicycle': 'Cyclist', 'human.pedestrian.wheelchair': 'Misc',
    'human.pedestrian.stroller': 'Misc', 'human.pedestrian.personal_mobility': 'Misc',
    'human.pedestrian': 'Pedestrian'}
# Columns: camera axes (right, down, forward) in LiDAR axes (forward, left, up).
_LIDAR_FROM_CAM_AXES = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])


def _turn(axis: int, angle_rad: float) -> np.ndarray:
    """Returns the rotation (4, 4) about an axis."""
    first, second = [one for one in range(3) if one != axis]
    turned = np.eye(4)
    turned[[first, second], [first, second]] = np.cos(angle_rad)
    turned[first, second], turned[second, first] = -np.sin(angle_rad), np.sin(angle_rad)
    return turned


class Rig:
    """The calibration of one scene: KITTI's matrices, and the poses that follow from them.

    Args:
        rng: a few millimetres and tenths of a degree, other ones in each scene.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.ego_from_lidar = np.eye(4)
        self.ego_from_lidar[:3, 3] = [0.76, 0, 1.73]
        self.cam_from_lidar_raw = np.eye(4)
        self.cam_from_lidar_raw[:3, :3] = _LIDAR_FROM_CAM_AXES.T
        self.cam_from_lidar_raw[:3, 3] = [0, -0.08, -0.27] + rng.normal(0, 0.005, 3)
        for axis in range(3):
            self.cam_from_lidar_raw = _turn(axis, rng.normal(0, 0.004)) @ self.cam_from_lidar_raw
        self.rectified_from_raw = _turn(1, 0.008) @ _turn(0, rng.normal(0, 0.004))
        self.cam_from_lidar = self.rectified_from_raw @ self.cam_from_lidar_raw
        self.intrinsic = np.array([[_FOCAL_PX, 0, _CENTRE_PX[0]], [0, _FOCAL_PX, _CENTRE_PX[1]], [0, 0, 1]])
        # The colour camera stands to the left of camera 0, whose frame labels are in.
        self.img_from_cam = np.pad(self.intrinsic, ((0, 0), (0, 1)))
        self.img_from_cam[0, 3] = _FOCAL_PX * _BASELINE_M
        self.cam_from_eye = np.eye(4)
        self.cam_from_eye[0, 3] = -_BASELINE_M

    def calibration_text(self) -> str:
        """Returns the calibration file."""
        rows = {**{f'P{number}': self.img_from_cam for number in range(4)},
                'R0_rect': self.rectified_from_raw[:3, :3], 'Tr_velo_to_cam': self.cam_from_lidar_raw[:3],
                'Tr_imu_to_velo': np.eye(4)[:3]}
        return ''.join(f'{name}: ' + ' '.join(f'{number:.12e}' for number in matrix.ravel()) + '\n'
                       for name, matrix in rows.items())

    def project(self, points_cam_m: np.ndarray) -> np.ndarray:
        """Returns the pixels (n, 2) of points (n, 3) in front of the camera."""
        u, v, depth = self.img_from_cam @ np.pad(points_cam_m, ((0, 0), (0, 1)), constant_values=1).T
        return np.stack([u, v], 1) / depth[:, None]


class _KittiScene(SceneSimulation):
    """One scene, seen by KITTI's sensors."""

    def write_frames(self, folder: Path, first: int, report: Callable[[], None]) -> List[str]:
        """Writes the scene's frames, numbered from `first`, and returns their names."""
        rig = Rig(make_rng(self._job.seed, self._job.scene_name, 'kitti rig'))
        rays = pixel_rays(rig.intrinsic, SIZE_WH)
        beams = beam_directions(ELEVATION_DEG, RINGS, COLUMNS)
        names = []
        for index in range(self._job.samples):
            name, time_s = f'{first + index:06d}', index * PERIOD_S
            rng = make_rng(self._job.seed, self._job.scene_name, 'kitti', index)
            local_from_ego = self._local_from_ego(time_s)
            local_from_lidar = local_from_ego @ rig.ego_from_lidar
            local_from_cam = local_from_lidar @ invert_pose(rig.cam_from_lidar)
            moment = self._world.at(time_s, local_from_ego[:2, 3])
            sweep = scan(self._world, moment, local_from_lidar, None, self._look.weather, rng, beams, RINGS)
            # A firing without a return lies at the origin.
            sweep = sweep[np.abs(sweep[:, :3]).max(axis=1) > 0, :4]
            sweep[:, 3] /= 255
            picture = take_picture(self._look, moment, local_from_cam @ rig.cam_from_eye, rays,
                                   local_from_ego[:3, 0], rng, SIZE_WH)
            points_m = transform_points(local_from_lidar, sweep[:, :3].astype(float))
            labels = self._labels(rig, moment, local_from_cam, points_m, rng)
            write_own_file(folder / 'velodyne' / f'{name}.bin', sweep.tobytes())
            write_own_file(folder / 'image_2' / f'{name}.png', encode(picture, '.png'))
            write_own_file(folder / 'calib' / f'{name}.txt', rig.calibration_text().encode())
            write_own_file(folder / 'label_2' / f'{name}.txt', ''.join(
                f'{label.line()}\n' for label in labels).encode())
            names.append(name)
            report()
        return names

    def _labels(self, rig: Rig, moment: Moment, local_from_cam: np.ndarray, points_m: np.ndarray,
                rng: np.random.Generator) -> List[Label]:
        cam_from_local, eye_m = invert_pose(local_from_cam), local_from_cam[:3, 3]
        counts = count_points(self._world, moment.centers_m, points_m)
        near = [index for index, actor in enumerate(self._actors, 1) if actor.category and np.linalg.norm(
            moment.centers_m[index] - eye_m) < LABELLED_M]
        boxes = {index: box for index in near
                 if (box := self._box_px(rig, index, moment, cam_from_local)) is not None}
        shares = visible_share(self._world, moment, eye_m, np.array(list(boxes), int), rng)
        labels = []
        for (index, (box_px, truncated)), share in zip(boxes.items(), shares):
            name = class_of(self._actors[index - 1].category, _CLASS_BY_CATEGORY)
            if name is None:
                continue
            is_clear = share >= LEAST_SHARE and box_px[3] - box_px[1] >= LEAST_HEIGHT_PX and counts[index]
            labels.append(self._label(name, index, moment, cam_from_local, box_px, truncated, float(share))
                          if is_clear else Label(DONT_CARE, -1, -1, -10, box_px, (-1, ) * 3, (-1000, ) * 3,
                          -10))
        # As in KITTI, what nobody could label stands last.
        return sorted(labels, key=lambda label: label.name == DONT_CARE)

    def _box_px(self, rig: Rig, index: int, moment: Moment, cam_from_local: np.ndarray
                ) -> 'Optional[Tuple[Tuple[float, ...], float]]':
        """Returns the box in the picture and the share of it outside; None behind or beside the camera."""
        actor = self._actors[index - 1]
        signs = np.array(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5])).reshape(3, 8).T * actor.size_m
        cos, sin = np.cos(actor.yaw), np.sin(actor.yaw)
        corners = signs @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + moment.centers_m[index]
        corners_cam = transform_points(cam_from_local, corners)
        if corners_cam[:, 2].min() < LEAST_DEPTH_M:
            return None
        pixels = rig.project(corners_cam)
        whole = np.concatenate([pixels.min(0), pixels.max(0)])
        limits = np.array([*SIZE_WH, *SIZE_WH]) - 1
        box = whole.clip(0, limits)
        area = [(one[2] - one[0]) * (one[3] - one[1]) for one in (box, whole)]
        if area[0] <= 0:
            return None
        return tuple(box.tolist()), float(1 - area[0] / area[1])

    def _label(self, name: str, index: int, moment: Moment, cam_from_local: np.ndarray,
               box_px: Tuple[float, ...], truncated: float, share: float) -> Label:
        actor = self._actors[index - 1]
        length, width, height = actor.size_m
        foot_m = moment.centers_m[index] - [0, 0, height / 2]
        x, y, z = transform_points(cam_from_local, foot_m[None])[0]
        heading = cam_from_local[:3, :3] @ [np.cos(actor.yaw), np.sin(actor.yaw), 0]
        rotation_y = float(np.arctan2(-heading[2], heading[0]))
        alpha = (rotation_y - np.arctan2(x, z) + np.pi) % (2 * np.pi) - np.pi
        return Label(name, truncated, 2 - int(np.digitize(share, HIDDEN_SHARES)), float(alpha), box_px,
                     (height, width, length), (x, y, z), rotation_y)


def generate_kitti(out: Path, *, scenes: int = 16, samples_per_scene: int = 8,
                   seed: int = 0) -> Dict[str, Path]:
    """Writes the dataset, see `own_scenes`; returns the lists of frames by split."""
    def write(job: SceneJob, number: int, report: Callable[[], None]) -> List[str]:
        return _KittiScene(job, out).write_frames(out / 'training', number * samples_per_scene, report)

    with own_scenes(out, MARK, write, 'frame', scenes=scenes, samples_per_scene=samples_per_scene,
                    seed=seed) as (train, val):
        paths = {}
        for split, chosen in (('train', train), ('val', val), ('trainval', train + val)):
            paths[split] = out / 'ImageSets' / f'{split}.txt'
            write_own_file(paths[split], ''.join(f'{name}\n' for name in chosen).encode())
        return paths
