"""Samples with their boxes as one HTML page to look around in, by WebGL: nothing is loaded from elsewhere."""
import base64
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from jaxtyping import Float

# Colours of classes: bright on black and well apart, which mmdet3d's of nuScenes are not.
PALETTE_RGB = ((255, 158, 0), (86, 180, 233), (240, 228, 66), (0, 200, 150), (190, 150, 110), (255, 80, 110),
               (170, 130, 255), (130, 255, 90), (255, 110, 240), (255, 200, 170))
MAX_POINTS = 40_000
# Two bytes per coordinate: hundredths of a metre up to 327 m.
UNITS_PER_M, FARTHEST_M = 100, 300
MOST_INTENSE = 255
FRUSTUM_DEPTH_M = 2.5
FIRST_SCORE = 0.3
TEMPLATE, PLACE = Path(__file__).with_name('scene.html'), '/*SCENES*/'


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


def _rows(boxes: np.ndarray) -> List[List[float]]:
    return np.round(boxes[np.isfinite(boxes).all(axis=1)].astype(float), 3).tolist()


def _base64(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()
