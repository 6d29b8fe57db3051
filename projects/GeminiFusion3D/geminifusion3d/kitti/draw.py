"""A picture of a frame: points and labelled boxes over the camera's picture, and from above."""
from pathlib import Path
from typing import Any, Dict

import numpy as np
from mmdet3d.structures import Box3DMode, CameraInstance3DBoxes
from mmdet3d.structures.points import LiDARPoints

from ..picture_files import decode
from ..point_files import read_point_file
from ..sensors.draw import draw_sample
from .infos import CAMERA, COLUMNS, frame_info


def draw_frame(folder: Path, name: str) -> np.ndarray:
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
