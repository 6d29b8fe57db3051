"""Some pictured samples as the product's 3D page, which the report shows in a frame."""
from typing import Sequence

import numpy as np
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.geometry.frames import invert_pose, pose
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.scene_page import PALETTE_RGB, frustum, scene_content, scene_page

from .dataset import Camera, Sample
from .drawing import load_lidar, load_picture

# 20,000 points are 190 kB of the page.
MOST_SCENES, MOST_POINTS = 4, 20_000


def scenes_page(samples: Sequence[Sample], min_score: float, title: str) -> str:
    """Returns the page of the first samples: points, cameras, predictions and ground truth."""
    scenes = [scene_content(
        f'{sample.scene_name} at {sample.second_in_scene:.1f} s', load_lidar(sample)[:, :4],
        box_rows(sample.predictions, sample), box_rows(sample.truth, sample),
        [_frustum(camera, sample) for camera in sample.cameras], max_points=MOST_POINTS)
        for sample in samples[:MOST_SCENES]]
    return scene_page(scenes, CLASS_NAMES, PALETTE_RGB, title=title, min_score=min_score)


def box_rows(boxes: Sequence[DetectionBox], sample: Sample) -> np.ndarray:
    """Returns rows of `scene_content` in the LiDAR frame."""
    rows = []
    for box in boxes:
        lidar_from_box = _lidar_from_global(sample) @ pose([*box.rotation], [*box.translation])
        width_m, length_m, height_m = box.size
        rows.append([*lidar_from_box[:3, 3], length_m, width_m, height_m,
                     np.arctan2(lidar_from_box[1, 0], lidar_from_box[0, 0]),
                     CLASS_NAMES.index(box.detection_name), box.detection_score])
    return np.array(rows, float).reshape(-1, 9)


def _frustum(camera: Camera, sample: Sample) -> list:
    height, width = camera.raw_hw or load_picture(camera)[:0:-1]
    lidar_from_cam = _lidar_from_global(sample) @ invert_pose(camera.cam_from_global)
    return frustum(camera.intrinsic, lidar_from_cam, width, height)


def _lidar_from_global(sample: Sample) -> np.ndarray:
    return invert_pose(sample.ego_from_lidar) @ sample.ego_from_global
