"""Samples with their boxes as one HTML page to look around in, by WebGL: nothing is loaded from elsewhere."""
import base64
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
import torch
from jaxtyping import Float

from ..atomic import atomic_write
from ..geometry.frames import invert_pose
from ..sensors import GeminiLoadPoints
from .detections import Detections
from .detector import Detector
from .sample import Sample

MAX_POINTS = 40_000
# Two bytes per coordinate: hundredths of a metre up to 327 m.
UNITS_PER_M, FARTHEST_M = 100, 300
MOST_INTENSE = 255
FRUSTUM_DEPTH_M = 2.5
MIN_SCORE, FIRST_SCORE = 0.05, 0.3
TEMPLATE, PLACE = Path(__file__).with_name('scene.html'), '/*SCENES*/'


def write_scene_page(path: Path, detector: Detector, samples: Sequence[Sample], found: Sequence[Detections]
                     ) -> None:
    """Writes the page of predictions.

    Args:
        path: the file.
        detector: whose classes and cameras these are.
        samples: what it saw.
        found: what it found in each; boxes below a score of 0.05 are left out.
    """
    page = scene_page([_scene(detector, *pair) for pair in zip(samples, found)], detector.class_names,
                      detector.palette_rgb, title=Path(detector.name).stem)
    with atomic_write(path) as part:
        part.write_text(page)


def scene_page(scenes: Sequence[Dict[str, Any]], class_names: Sequence[str],
               palette_rgb: Sequence[Sequence[int]], *, title: str, min_score: float = FIRST_SCORE) -> str:
    """Returns the page; no text of the data becomes markup or script.

    Args:
        scenes: of `scene_content`.
        class_names: what the labels mean.
        palette_rgb: the colour of each class, 0 to 255.
        title: its head.
        min_score: where the slider starts.
    """
    content = {'classes': list(class_names), 'colours': palette_rgb, 'title': title, 'score': min_score,
               'scenes': scenes}
    data = json.dumps(content, separators=(',', ':'), allow_nan=False).replace('<', '\\u003c')
    return TEMPLATE.read_text().replace(PLACE, data)


def scene_content(token: str, points: Float[np.ndarray, 'n columns'], boxes: Float[np.ndarray, 'm 9'],
                  truth: Optional[Float[np.ndarray, 'k 9']], cameras: Sequence[List[List[float]]], *,
                  max_points: int = MAX_POINTS) -> Dict[str, Any]:
    """Returns one sample as the page reads it, everything in LiDAR coordinates.

    Args:
        token: its name.
        points: x, y, z in metres and intensity from 0 to 255; rounded to a centimetre, those beyond 300 m are
            left out.
        boxes: predictions, best first: gravity centre, length, width, height, yaw, label, score.
        truth: the same of the true boxes, with any score; None where they are not known.
        cameras: of `frustum`.
        max_points: where there are more, so many are drawn by lot. Every second row would be every second
            beam.
    """
    points = points[(np.abs(points[:, :3]) < FARTHEST_M).all(axis=1), :4]
    count = len(points)
    if count > max_points:
        points = points[np.sort(np.random.default_rng(0).choice(count, max_points, replace=False))]
    intensity = np.clip(np.nan_to_num(points[:, 3]), 0, MOST_INTENSE).astype(np.uint8)
    return {'token': token, 'points': _base64(np.round(points[:, :3] * UNITS_PER_M).astype('<i2')),
            'intensity': _base64(intensity), 'boxes': _rows(boxes),
            'truth': None if truth is None else _rows(truth), 'cameras': list(cameras),
            'omitted': count - len(points)}


def frustum(cam2img: np.ndarray, lidar_from_cam: Float[np.ndarray, '4 4'], width: float, height: float
            ) -> List[List[float]]:
    """Returns where a camera stands and four corners of what it sees, in LiDAR coordinates.

    Args:
        cam2img: at least 3x3, pixels from camera coordinates.
        lidar_from_cam: its pose.
        width: of the picture in pixels.
        height: of the picture in pixels.
    """
    pixels = np.array([[0, 0, 1], [width, 0, 1], [width, height, 1], [0, height, 1]])
    rays = np.vstack([np.zeros(3), FRUSTUM_DEPTH_M * pixels @ np.linalg.inv(cam2img[:3, :3]).T])
    return np.round(rays @ lidar_from_cam[:3, :3].T + lidar_from_cam[:3, 3], 2).tolist()


def _scene(detector: Detector, sample: Sample, found: Detections) -> Dict[str, Any]:
    info = {'lidar_sweeps': [], **detector.sensors_of(sample), 'timestamp_us': 0}
    points = GeminiLoadPoints(sweeps_num=0, missing='mark')(info)['points'].tensor.numpy()
    truth, shown = detector.truth_of(sample), found.above(MIN_SCORE)
    images = [info.get('images', {}).get(name, {}) for name in detector.camera_names]
    return scene_content(
        sample.token, points, np.column_stack([shown.boxes, shown.labels, shown.scores]),
        None if truth is None else np.column_stack([
            torch.cat([truth['gt_bboxes_3d'].gravity_center, truth['gt_bboxes_3d'].tensor[:, 3:7]], dim=1),
            truth['gt_labels_3d'], np.ones(len(truth['gt_labels_3d']))]),
        [_frustum(image) for image in images if image.get('img_path') is not None])


def _frustum(image: Dict[str, Any]) -> List[List[float]]:
    cam2img = np.asarray(image['cam2img'], float)
    # Where a record says no size, the principal point is taken for the middle.
    return frustum(cam2img, invert_pose(np.asarray(image['lidar2cam'], float)),
                   image.get('width') or 2 * cam2img[0, 2], image.get('height') or 2 * cam2img[1, 2])


def _rows(boxes: np.ndarray) -> List[List[float]]:
    return np.round(boxes[np.isfinite(boxes).all(axis=1)].astype(float), 3).tolist()


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
