"""Boxes of the split, in the global frame: annotations and a submission file, officially filtered.

Ground truth and predictions pass through the devkit's own filters (class range, at least one
point, no bicycle racks), so that the pictures show what the metric counts.
"""
from collections import Counter
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence

from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import (add_center_dist, filter_eval_boxes,
                                          load_gt_of_sample_tokens)
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import quiet
from .metric_files import read_json


def read_results(path: Path) -> Dict[str, List[Dict[str, Any]]]:
    """Reads {sample token: boxes} of a submission file.

    Raises:
        UserError: if it is not one.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get('results'), dict):
        raise UserError(f'{path} has no object `results`; expected the nuScenes submission format '
                        f'that tools/export_submission.py writes')
    return content['results']


def truth_boxes(nusc: NuScenes, tokens: Sequence[str]) -> Dict[str, List[DetectionBox]]:
    """Returns {sample token: boxes that the metric counts}; all empty without annotations."""
    if not nusc.sample_annotation:
        return {token: [] for token in tokens}
    with quiet():
        return official_filter(nusc, load_gt_of_sample_tokens(nusc, list(tokens), DetectionBox))


def predicted_boxes(nusc: NuScenes, results: Mapping[str, Sequence[Mapping[str, Any]]],
                    tokens: Sequence[str]) -> Dict[str, List[DetectionBox]]:
    """Returns {sample token: filtered predictions, best first} of the chosen samples only."""
    boxes = EvalBoxes()
    for token in tokens:
        try:
            found = [DetectionBox.deserialize(dict(box)) for box in results.get(token, [])]
            if any(box.detection_score < 0 for box in found):
                raise ValueError('a score is missing or negative')
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise UserError(f'a predicted box of sample {token} is invalid '
                            f'({type(error).__name__}: {error}); '
                            f'run tools/validate_submission.py on the file') from error
        boxes.add_boxes(token, sorted(found, key=lambda box: -box.detection_score))
    return official_filter(nusc, boxes)


def official_filter(nusc: NuScenes, boxes: EvalBoxes) -> Dict[str, List[DetectionBox]]:
    """Applies the devkit's range, point and bicycle-rack filters."""
    # The devkit raises `Invalid box type: None` where there is nothing to filter.
    if boxes.all:
        ranges_m = config_factory('detection_cvpr_2019').class_range
        boxes = filter_eval_boxes(nusc, add_center_dist(nusc, boxes), ranges_m)
    return {token: list(boxes[token]) for token in boxes.sample_tokens}


def count_classes(boxes: Mapping[str, Sequence[DetectionBox]]) -> Dict[str, int]:
    """Counts boxes by class over all samples."""
    return dict(Counter(box.detection_name for found in boxes.values() for box in found))


def count_predictions(results: Mapping[str, Sequence[Mapping[str, Any]]], min_score: float
                      ) -> Dict[str, int]:
    """Counts predictions by class with at least `min_score`, unfiltered.

    Raises:
        UserError: if a box has no class or no score.
    """
    try:
        return dict(Counter(box['detection_name'] for found in results.values() for box in found
                            if box['detection_score'] >= min_score))
    except (KeyError, TypeError) as error:
        raise UserError(f'a predicted box lacks a class or a score ({type(error).__name__}: '
                        f'{error}); run tools/validate_submission.py on the file') from error
