"""The synthetic world seen by another car: three cameras, one LiDAR, three classes, written as records.

What an engineer with own data has: pictures of different sizes and formats, a cloud of four columns, two
sweeps, own names for everything, and no tables. `train.jsonl` and `val.jsonl` are in the format of
`geminifusion3d/sensors/records.py`.
"""
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np

from geminifusion3d.check_sums import sealed_line
from geminifusion3d.geometry.frames import invert_pose
from geminifusion3d.picture_files import encode

from .annotations import observe
from .camera import take_picture
from .categories import class_of
from .lidar import scan
from .own_folder import own_scenes, write_own_file
from .rig import IMAGE_SIZE, LIDAR, Shot, plan_shots
from .scene_simulation import SceneJob, SceneSimulation
from .world import Moment

MARK = '.synthetic_records.json'
SWEEPS = 2
COLUMNS = ('x', 'y', 'z', 'intensity')
CLASSES = ('car', 'big_vehicle', 'person')
_CLASS_BY_CATEGORY = {'vehicle.car': 'car', 'vehicle.truck': 'big_vehicle', 'vehicle.bus': 'big_vehicle',
                      'vehicle.trailer': 'big_vehicle', 'vehicle.construction': 'big_vehicle',
                      'human.pedestrian': 'person'}


class _Camera(NamedTuple):
    """One of the cameras: whose place in the world it takes, how large its pictures are, their format."""

    channel: str
    size_wh: Tuple[int, int]
    ending: str


CAMERAS = {'front': _Camera('CAM_FRONT', (960, 540), '.jpg'),
           'left': _Camera('CAM_FRONT_LEFT', (640, 360), '.png'),
           'right': _Camera('CAM_FRONT_RIGHT', (640, 360), '.png')}


class _RecordScene(SceneSimulation):
    """One scene, fired by the sensors of this car only."""

    def records(self, report: Callable[[], None]) -> List[Dict[str, Any]]:
        """Writes the scene's files and returns its records."""
        shots = plan_shots(self._job.seed, self._job.scene_name, self._recording.start_us, self._job.samples,
                           False)
        key_places = [place for place, shot in enumerate(shots[LIDAR]) if shot.is_key_frame]
        records = []
        for index, place in enumerate(key_places):
            cameras = {name: next(shot for shot in shots[camera.channel] if shot.sample_index == index)
                       for name, camera in CAMERAS.items()}
            sweeps = shots[LIDAR][max(0, place - SWEEPS):place][::-1]
            records.append(self._record(index, shots[LIDAR][place], cameras, sweeps))
            report()
        return records

    def _record(self, index: int, key: Shot, cameras: Dict[str, Shot], sweeps: List[Shot]) -> Dict[str, Any]:
        token = f'{self._job.scene_name}_{index:03d}'
        moment, local_from_lidar, points = self._scan(key)
        self._write_points(f'points/{token}.bin', points)
        record: Dict[str, Any] = {
            'token': token, 'scene': self._job.scene_name, 'timestamp': key.timestamp_us / 1e6,
            'images': {name: self._image(name, token, shot, local_from_lidar)
                       for name, shot in cameras.items()},
            'points': {'path': f'points/{token}.bin', 'columns': list(COLUMNS)},
            'sweeps': [], 'boxes': self._boxes(key, moment, local_from_lidar, points)}
        for number, shot in enumerate(sweeps, start=1):
            _, local_from_sweep, rows = self._scan(shot)
            path = f'points/{token}_{number}.bin'
            self._write_points(path, rows)
            record['sweeps'].append({'path': path, 'timestamp': shot.timestamp_us / 1e6, 'lidar_from_sweep': (
                invert_pose(local_from_lidar) @ local_from_sweep).tolist()})
        global_from_ego = self._drive.global_from_ego(self._time_s(key))
        return {**record, 'ego_from_lidar': self._rig[LIDAR].ego_from_sensor.tolist(),
                'global_from_ego': global_from_ego.tolist()}

    def _time_s(self, shot: Shot) -> float:
        return (shot.timestamp_us - self._recording.start_us) / 1e6

    def _scan(self, shot: Shot) -> Tuple[Moment, np.ndarray, np.ndarray]:
        """Returns the moment, local_from_lidar (4, 4) and the rows (N, 5) of a sweep."""
        local_from_ego = self._local_from_ego(self._time_s(shot))
        moment = self._world.at(self._time_s(shot), local_from_ego[:2, 3])
        ego_from_lidar = self._rig[LIDAR].ego_from_sensor
        rows = scan(self._world, moment, local_from_ego @ ego_from_lidar, ego_from_lidar, self._look.weather,
                    self._rng(shot))
        return moment, local_from_ego @ ego_from_lidar, rows

    def _write_points(self, path: str, rows: np.ndarray) -> None:
        # Firings without a return are of no use to anybody.
        write_own_file(self._root / path,
                       rows[np.abs(rows[:, :3]).max(axis=1) > 0][:, :len(COLUMNS)].tobytes())

    def _image(self, name: str, token: str, shot: Shot, local_from_lidar: np.ndarray) -> Dict[str, Any]:
        camera, mount = CAMERAS[name], self._rig[shot.channel]
        local_from_ego = self._local_from_ego(self._time_s(shot))
        local_from_cam = local_from_ego @ mount.ego_from_sensor
        moment = self._world.at(self._time_s(shot), local_from_ego[:2, 3])
        picture = take_picture(self._look, moment, local_from_cam, self._rays[shot.channel],
                               local_from_ego[:3, 0], self._rng(shot))
        path = f'images/{name}/{token}{camera.ending}'
        picture = cv2.resize(picture, camera.size_wh, interpolation=cv2.INTER_AREA)
        write_own_file(self._root / path, encode(picture, camera.ending))
        # Integer coordinates are pixel centres: u becomes s * (u + 0.5) - 0.5.
        scale = camera.size_wh[0] / IMAGE_SIZE[0]
        small_from_full = np.array([[scale, 0, scale / 2 - 0.5], [0, scale, scale / 2 - 0.5], [0, 0, 1]])
        return {'path': path, 'cam2img': (small_from_full @ mount.intrinsic).tolist(),
                'lidar2cam': (invert_pose(local_from_cam) @ local_from_lidar).tolist()}

    def _boxes(self, key: Shot, moment: Moment, local_from_lidar: np.ndarray,
               rows: np.ndarray) -> List[Dict[str, Any]]:
        points_m = rows[:, :3] @ local_from_lidar[:3, :3].T + local_from_lidar[:3, 3]
        seen = observe(self._world, moment, local_from_lidar, points_m, np.zeros((0, 3)), self._rng(key))
        lidar_from_local = invert_pose(local_from_lidar)
        origin_m = np.array([*self._world.origin_xy_m, 0.0])
        boxes = []
        for one in seen:
            actor = self._actors[one.actor_index]
            name = class_of(actor.category, _CLASS_BY_CATEGORY)
            if name is None:
                continue
            center = lidar_from_local[:3, :3] @ (one.center_xyz_m - origin_m) + lidar_from_local[:3, 3]
            heading = lidar_from_local[:2, :2] @ [np.cos(actor.yaw), np.sin(actor.yaw)]
            velocity = lidar_from_local[:2, :2] @ actor.velocity_mps
            yaw = float(np.arctan2(*heading[::-1]))
            boxes.append({'box': [*center.tolist(), *actor.size_m.tolist(), yaw], 'class': name,
                          'velocity': velocity.tolist(), 'num_points': one.num_lidar_pts})
        return boxes


def generate_records(out: Path, *, scenes: int = 4, samples_per_scene: int = 6,
                     seed: int = 0) -> Dict[str, Path]:
    """Writes the dataset, see `own_scenes`; returns the files of records by split."""
    def write(job: SceneJob, _: int, report: Callable[[], None]) -> List[str]:
        return [sealed_line(record) for record in _RecordScene(job, out).records(report)]

    with own_scenes(out, MARK, write, 'sample', scenes=scenes, samples_per_scene=samples_per_scene,
                    seed=seed) as found:
        paths = {split: out / f'{split}.jsonl' for split in ('train', 'val')}
        for path, lines in zip(paths.values(), found):
            write_own_file(path, ''.join(lines).encode())
        return paths
