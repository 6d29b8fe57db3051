"""Predictions as a page to look around in."""
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import torch

from ..atomic import write_whole
from ..geometry.frames import invert_pose
from ..scene_page import frustum, scene_content, scene_page
from ..sensors import GeminiLoadPoints
from .detections import Detections
from .detector import Detector
from .sample import Sample

MIN_SCORE = 0.05


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
    write_whole(path, page)


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
