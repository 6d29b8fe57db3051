"""Samples with their detections as one HTML page to look around in: nothing is loaded from elsewhere."""
import base64
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np

from ..atomic import atomic_write
from ..geometry.frames import invert_pose
from ..sensors import GeminiLoadPoints
from .detections import Detections
from .detector import Detector
from .sample import Sample

MAX_POINTS = 40_000
# Two bytes per coordinate: hundredths of a metre up to 327 m.
UNITS_PER_M, FARTHEST_M = 100, 300
FRUSTUM_DEPTH_M = 2.5
MIN_SCORE = 0.05
TEMPLATE, PLACE = Path(__file__).with_name('scene.html'), '/*SCENES*/'


def write_scene_page(path: Path, detector: Detector, samples: Sequence[Sample], found: Sequence[Detections]) -> None:
    """Writes the page.

    Args:
        path: the file.
        detector: whose classes and cameras these are.
        samples: what it saw.
        found: what it found in each; boxes below a score of 0.05 are left out.
    """
    content = {
        'classes': list(detector.class_names), 'colours': detector.palette_rgb, 'recipe': Path(detector.name).stem,
        'scenes': [_scene(detector, *pair) for pair in zip(samples, found)]}
    # No text of the data can end the script element.
    data = json.dumps(content, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')
    with atomic_write(path) as part:
        part.write_text(TEMPLATE.read_text().replace(PLACE, data))


def _scene(detector: Detector, sample: Sample, found: Detections) -> Dict[str, Any]:
    info = {'lidar_sweeps': [], **detector.sensors_of(sample), 'timestamp_us': 0}
    points_m = GeminiLoadPoints(sweeps_num=0, missing='mark')(info)['points'].tensor[:, :3].numpy()
    points_m = points_m[np.abs(points_m).max(axis=1) < FARTHEST_M] if len(points_m) else points_m
    points_m = points_m[::max(1, -(-len(points_m) // MAX_POINTS))]
    truth = detector.truth_of(sample)
    shown = found.above(MIN_SCORE)
    return {
        'token': sample.token, 'points': base64.b64encode(
            np.round(points_m * UNITS_PER_M).astype('<i2').tobytes()).decode(),
        'boxes': _rows(shown.boxes, shown.labels, shown.scores),
        'truth': None if truth is None else _rows(
            np.hstack([truth['gt_bboxes_3d'].gravity_center.numpy(), truth['gt_bboxes_3d'].tensor[:, 3:7].numpy()]),
            truth['gt_labels_3d'], np.ones(len(truth['gt_labels_3d']))),
        'cameras': [_frustum(info['images'][name]) for name in detector.camera_names
                    if info.get('images', {}).get(name, {}).get('img_path') is not None]}


def _rows(boxes: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> List[List[float]]:
    """Returns seven numbers, label and score per box."""
    rows = np.round(np.column_stack([boxes, labels, scores]).astype(float), 3)
    return [row for row in rows.tolist() if np.isfinite(row).all()]


def _frustum(image: Dict[str, Any]) -> List[List[float]]:
    """Returns where a camera stands and four corners of what it sees, in LiDAR coordinates."""
    cam2img = np.asarray(image['cam2img'], float)[:3, :3]
    # Where a record says no size, the principal point is taken for the middle.
    width, height = image.get('width') or 2 * cam2img[0, 2], image.get('height') or 2 * cam2img[1, 2]
    pixels = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    rays = np.vstack([np.zeros(3), FRUSTUM_DEPTH_M * pixels @ np.linalg.inv(cam2img).T])
    lidar_from_cam = invert_pose(np.asarray(image['lidar2cam'], float))
    return np.round(rays @ lidar_from_cam[:3, :3].T + lidar_from_cam[:3, 3], 2).tolist()
