"""A picture of what a pipeline delivers: points and boxes over the images, and from above; a KITTI frame too.

Everything is drawn through the matrices that the model gets, so a wrong one shows: points leave
their objects.
"""
from pathlib import Path
from typing import Any, Dict

import cv2
import numpy as np
from mmdet3d.structures import Box3DMode, CameraInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints

from geminifusion3d.kitti.infos import CAMERA, COLUMNS, frame_info
from geminifusion3d.picture_files import decode
from geminifusion3d.point_files import read_point_file
from geminifusion3d.sensors.draw import (BOX_BGR, FARTHEST_COLOUR_M, FRONT_BGR, NEAREST_DEPTH_M, camera_rows,
                                         depth_colours, draw_bev, draw_box, project_points, tiled)
from geminifusion3d.sensors.load_radar import VELOCITY

TEXT_BGR, RIM_BGR = (255, 255, 255), (0, 0, 0)


def draw_sample(results: Dict[str, Any], *, range_m: float = 55.0) -> np.ndarray:
    """Draws one sample.

    Args:
        results: a pipeline's output before packing: `img`, `cam_names`, `points`,
            `gt_bboxes_3d` and the four kinds of matrices; `radar_points` where there are some.
        range_m: half the side of the view from above.

    Returns:
        A BGR picture: the cameras, those of nuScenes left to right as seen from the car, and the view from
        above.
    """
    names = list(results['cam_names'])
    cameras = tiled([[draw_camera(results, names.index(name)) for name in row] for row in camera_rows(names)])
    points_m = results['points'].tensor[:, :3].numpy()
    bev = draw_bev(points_m, results['gt_bboxes_3d'].corners.numpy(), size_px=cameras.shape[0],
                   range_m=range_m)
    if 'radar_points' in results:
        draw_radar_from_above(bev, results['radar_points'].tensor.numpy(), range_m=range_m)
    _draw_legend(bev, f'{range_m:g} m to each side, x to the right, y up')
    return np.hstack([cameras, bev])


def draw_camera(results: Dict[str, Any], camera: int) -> np.ndarray:
    """Draws the points, coloured by depth, and the boxes, front face red, over one image."""
    picture = np.ascontiguousarray(results['img'][camera]).copy()
    matrices = {'lidar_aug_matrix': results['lidar_aug_matrix'],
                **{key: results[key][camera]
                   for key in ('lidar2cam', 'cam2img', 'img_aug_matrix')}}
    px, depth_m = project_points(results['points'].tensor[:, :3].numpy(), **matrices)
    _draw_points(picture, px, depth_m)
    if 'radar_points' in results:
        draw_radar(picture, results['radar_points'].tensor.numpy(), matrices)
    for corners_m in results['gt_bboxes_3d'].corners.numpy():
        draw_box(picture, corners_m, matrices, BOX_BGR)
    cv2.putText(picture, results['cam_names'][camera], (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6,
                TEXT_BGR, 1, cv2.LINE_AA)
    return picture


def _draw_points(picture: np.ndarray, px: np.ndarray, depth_m: np.ndarray) -> None:
    order = np.argsort(-depth_m)
    order = order[depth_m[order] > NEAREST_DEPTH_M]
    for (u, v), colour in zip(px[order], depth_colours(depth_m[order]).tolist()):
        if 0 <= u < picture.shape[1] and 0 <= v < picture.shape[0]:
            cv2.circle(picture, (round(u), round(v)), 1, colour, -1)


def draw_radar(picture: np.ndarray, returns: np.ndarray, matrices: Dict[str, np.ndarray]) -> None:
    """Draws radar returns as rings, coloured by depth, with a line to where each would be in a second.

    Args:
        picture: is drawn into.
        returns: (N, 7) of RADAR_COLUMNS, in the augmented LiDAR frame.
        matrices: as for `project_points`.
    """
    moved_m = returns[:, :3].copy()
    moved_m[:, :2] += returns[:, VELOCITY]
    px, depth_m = project_points(returns[:, :3], **matrices)
    moved_px, moved_depth_m = project_points(moved_m, **matrices)
    limit_px = 2 * max(picture.shape)
    for index, colour in enumerate(depth_colours(depth_m).tolist()):
        ends = np.stack([px[index], moved_px[index]])
        is_ahead = min(depth_m[index], moved_depth_m[index]) > NEAREST_DEPTH_M
        if is_ahead and np.abs(ends).max() < limit_px:
            first, second = (tuple(map(round, end)) for end in ends.tolist())
            cv2.circle(picture, first, 6, colour, 2, cv2.LINE_AA)
            cv2.line(picture, first, second, colour, 2, cv2.LINE_AA)


def draw_radar_from_above(picture: np.ndarray, returns: np.ndarray, *, range_m: float) -> None:
    """Draws radar returns (N, 7) as white rings into a picture of `draw_bev`, with the same line."""
    px_per_m = len(picture) / (2 * range_m)
    for x_m, y_m, vx_mps, vy_mps in returns[:, [0, 1, *VELOCITY]].tolist():
        first, second = ((round((x + range_m) * px_per_m), round((range_m - y) * px_per_m))
                         for x, y in ((x_m, y_m), (x_m + vx_mps, y_m + vy_mps)))
        cv2.circle(picture, first, 3, TEXT_BGR, 1, cv2.LINE_AA)
        cv2.line(picture, first, second, TEXT_BGR, 1, cv2.LINE_AA)


def _draw_legend(picture: np.ndarray, title: str) -> None:
    """Writes what the colours mean into the view from above."""
    depths_m = np.linspace(0, FARTHEST_COLOUR_M, 4)
    entries = [(title, TEXT_BGR), ('true box', BOX_BGR), ('its front', FRONT_BGR)]
    entries += [(f'point at {depth_m:.0f} m{" and more" if depth_m == FARTHEST_COLOUR_M else ""}', colour)
                for depth_m, colour in zip(depths_m, depth_colours(depths_m).tolist())]
    for line, (text, colour) in enumerate(entries):
        # White on a black rim: the darkest colours would not be read, nor would words on points.
        for text_bgr, width_px in ((RIM_BGR, 4), (TEXT_BGR, 1)):
            cv2.putText(picture, text, (26, 20 + 18 * line), cv2.FONT_HERSHEY_SIMPLEX, 0.45, text_bgr,
                        width_px, cv2.LINE_AA)
        if line:
            cv2.circle(picture, (14, 16 + 18 * line), 7, RIM_BGR, -1)
            cv2.circle(picture, (14, 16 + 18 * line), 5, colour, -1, cv2.LINE_AA)


def draw_kitti_frame(folder: Path, name: str) -> np.ndarray:
    """Draws a frame through the matrices that the detector gets: where they are wrong, points leave objects.

    Args:
        folder: with image_2, velodyne, calib, and label_2 if there are labels.
        name: number of the frame.

    Returns:
        A BGR picture.
    """
    info = frame_info(folder, name, with_labels=(folder / 'label_2' / f'{name}.txt').is_file())
    camera = info['images'][CAMERA]
    boxes = [one['bbox_3d'] for one in info.get('instances', ()) if one['index'] >= 0]
    lidar_from_cam = np.linalg.inv(camera['lidar2cam'])
    points = read_point_file(str(folder / 'velodyne' / f'{name}.bin'), COLUMNS)
    sample: Dict[str, Any] = {
        'img': [decode((folder / 'image_2' / f'{name}.png').read_bytes())[0]], 'cam_names': [CAMERA],
        'points': LiDARPoints(points, points_dim=len(COLUMNS)),
        'gt_bboxes_3d': CameraInstance3DBoxes(np.array(boxes, np.float32).reshape(-1, 7)).convert_to(
            Box3DMode.LIDAR, lidar_from_cam.astype(np.float32)),
        'lidar2cam': [np.array(camera['lidar2cam'])], 'cam2img': [np.array(camera['cam2img'])],
        'img_aug_matrix': [np.eye(4)], 'lidar_aug_matrix': np.eye(4)}
    return draw_sample(sample)
