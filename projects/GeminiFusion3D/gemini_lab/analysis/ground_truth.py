"""Submits a dataset's annotations as if they were predictions: its own acceptance test.

The devkit must then find mAP = 1, NDS = 1 and no error. It does not where a class has no
annotation that counts in a split (its AP is 0 and its errors 1), or none with a velocity or an
attribute.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import (add_center_dist, get_samples_of_custom_split, load_gt,
                                          load_gt_of_sample_tokens)
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.utils.splits import is_predefined_split

from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_RANGE_M, attribute_by_speed
from geminifusion3d.results.devkit_eval import Evaluation, evaluate_file, quiet
from geminifusion3d.results.nuscenes_boxes import Record
from geminifusion3d.submission.split_samples import (OFFICIAL_SPLITS, of_version, official_splits,
                                                     read_custom_splits)
from geminifusion3d.submission.submission import write_submission

TOLERANCE = 1e-6
_META = {'use_camera': True, 'use_lidar': True, 'use_radar': False, 'use_map': False, 'use_external': False}


@dataclass(frozen=True)
class GroundTruthScore:
    """What the devkit says about the annotations of a split.

    Attributes:
        split: name of the split.
        evaluation: the devkit's figures.
        n_boxes: how many annotations were submitted.
        absent_classes: detection classes of which the split has no annotation that counts.
    """

    split: str
    evaluation: Evaluation
    n_boxes: int
    absent_classes: Tuple[str, ...]

    @property
    def is_perfect(self) -> bool:
        """Whether mAP and NDS are 1 and every error is 0."""
        summary = self.evaluation.summary
        scores = (summary['mean_ap'], summary['nd_score'])
        return (all(abs(score - 1) < TOLERANCE for score in scores)
                and all(error < TOLERANCE for error in summary['tp_errors'].values()))


def annotated_splits(tables: NuScenes) -> List[str]:
    """Returns the splits, official and custom, that have annotated scenes in these tables."""
    scene_of_sample = {row['token']: row['scene_token'] for row in tables.sample}
    annotated = {scene_of_sample[row['sample_token']] for row in tables.sample_annotation}
    names = {row['name'] for row in tables.scene if row['token'] in annotated}
    scenes = {split: official_splits()[split] for split in of_version(OFFICIAL_SPLITS, tables.version, ())}
    scenes.update(read_custom_splits(Path(tables.dataroot) / tables.version))
    return [split for split, members in scenes.items() if names & set(members)]


def score_ground_truth(*, tables: NuScenes, split: str, folder: Path) -> GroundTruthScore:
    """Submits the annotations of a split to the devkit."""
    boxes = _countable_boxes(tables, split)
    path = folder / f'ground_truth_{split}.json'
    write_submission(path, meta=_META, samples=(
        (token, [_record(box) for box in boxes[token]]) for token in sorted(boxes.sample_tokens)))
    present = {box.detection_name for box in boxes.all}
    return GroundTruthScore(
        split=split, evaluation=evaluate_file(result_path=path, tables=tables, split=split),
        n_boxes=len(boxes.all),
        absent_classes=tuple(name for name in CLASS_RANGE_M if name not in present))


def _countable_boxes(tables: NuScenes, split: str) -> EvalBoxes:
    """Returns the annotations within their class range that have LiDAR or radar points.

    The devkit drops annotations without points but not predictions: submitted, they would be false
    positives. Bicycles in racks it drops from both.
    """
    with quiet():
        if is_predefined_split(split):
            boxes = load_gt(tables, split, DetectionBox)
        else:
            boxes = load_gt_of_sample_tokens(tables, get_samples_of_custom_split(split, tables), DetectionBox)
        boxes = add_center_dist(tables, boxes)
    countable = EvalBoxes()
    for token in boxes.sample_tokens:
        countable.add_boxes(token, [
            box for box in boxes[token]
            if box.num_pts > 0 and box.ego_dist < CLASS_RANGE_M[box.detection_name]])
    if not countable.all:
        raise UserError(f'split {split!r} of {tables.version} has no annotation that counts; '
                        'choose another with --split')
    return countable


def _record(box: DetectionBox) -> Record:
    """Returns an annotation as a prediction; what it does not know, any valid value replaces.

    Velocity and attribute that the annotation lacks are not compared by the devkit.
    """
    velocity_mps = [0.0 if np.isnan(part) else float(part) for part in box.velocity]
    record: Dict[str, Any] = {
        'sample_token': box.sample_token,
        'translation': list(map(float, box.translation)),
        'size': list(map(float, box.size)),
        'rotation': list(map(float, box.rotation)),
        'velocity': velocity_mps,
        'detection_name': box.detection_name,
        'detection_score': 1.0,
        'attribute_name': box.attribute_name or attribute_by_speed(
            box.detection_name, float(np.hypot(*velocity_mps))),
    }
    return record
