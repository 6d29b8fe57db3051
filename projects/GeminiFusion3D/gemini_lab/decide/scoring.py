"""The exact mAP of the devkit, from boxes in memory, and its spread over which scenes were driven.

The devkit filters the annotations; matching and precision are `results.detection_ap`'s and the devkit's own
curves, which a test compares with the devkit. Nothing is written and read back for a score.
"""
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from jaxtyping import Bool, Float, Int
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.loaders import load_gt_of_sample_tokens
from nuscenes.eval.detection.algo import calc_ap
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.utils.data_classes import Box
from nuscenes.utils.geometry_utils import points_in_box

from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.detection_ap import UNMATCHED, center_distances_m, match_nearest
from geminifusion3d.results.devkit_eval import EVAL_CONFIG, open_tables, quiet
from geminifusion3d.results.evaluated_split import InfoFile, read_info_file
from geminifusion3d.results.nuscenes_boxes import GlobalBoxes

from ..analysis.evaluated_boxes import filtered
from ..analysis.official_matching import metric_data

RACK = 'static_object.bicycle_rack'
IN_RACKS = [CLASS_NAMES.index(name) for name in ('bicycle', 'motorcycle')]


@dataclass(frozen=True)
class Truth:
    """The annotations of a split that the devkit counts.

    Attributes:
        infos: the split.
        centers_m: by sample and label, (n, 2) in the global frame.
        racks: of bicycles, by sample: what is predicted in one counts neither way.
        scene_of_sample: an index per sample.
    """

    infos: InfoFile
    centers_m: Tuple[Dict[int, Float[np.ndarray, 'n 2']], ...]
    racks: Tuple[Tuple[Box, ...], ...]
    scene_of_sample: Int[np.ndarray, ' samples']


def load_truth(data_root: Path, ann_file: str) -> Truth:
    """Lets the devkit load and filter the annotations of a split.

    Args:
        data_root: of the dataset.
        ann_file: the split's info file, relative to it.
    """
    infos = read_info_file(data_root / ann_file)
    tables = open_tables(data_root=data_root, version=infos.version, split=infos.split)
    tokens = [frame.token for frame in infos.frames]
    with quiet():
        boxes = filtered(tables, load_gt_of_sample_tokens(tables, tokens, DetectionBox),
                         config_factory(EVAL_CONFIG))
    samples = [tables.get('sample', token) for token in tokens]
    racks = tuple(tuple(
        tables.get_box(key) for key in sample['anns']
        if tables.get('sample_annotation', key)['category_name'] == RACK) for sample in samples)
    return Truth(infos, tuple(_by_label(boxes[token]) for token in tokens), racks,
                 np.unique([sample['scene_token'] for sample in samples], return_inverse=True)[1])


def _by_label(boxes: Sequence[DetectionBox]) -> Dict[int, Float[np.ndarray, 'n 2']]:
    labels = {CLASS_NAMES.index(box.detection_name) for box in boxes}
    return {label: np.array([box.translation[:2] for box in boxes
                             if CLASS_NAMES.index(box.detection_name) == label]) for label in labels}


@dataclass(frozen=True)
class ClassMatches:
    """Predictions of one class, best score first, at one distance.

    Attributes:
        scores: falling.
        is_match: whether each found an annotation.
        scene: of each.
        annotations: how many each scene has.
    """

    scores: Float[np.ndarray, ' n']
    is_match: Bool[np.ndarray, ' n']
    scene: Int[np.ndarray, ' n']
    annotations: Int[np.ndarray, ' scenes']

    def average_precision(self, scene_weights: Float[np.ndarray, ' scenes']) -> float:
        """Returns the devkit's AP, each scene counted so often; NaN if these scenes lack what others have."""
        total = float(scene_weights @ self.annotations)
        if not total:
            return float('nan') if self.annotations.any() else 0.0
        config = config_factory(EVAL_CONFIG)
        curve = metric_data(scores=self.scores, is_match=self.is_match, errors={}, n_annotations=total,
                            weights=scene_weights[self.scene])
        return float(calc_ap(curve, config.min_recall, config.min_precision))


def match_boxes(truth: Truth, found: Sequence[GlobalBoxes]) -> List[List[ClassMatches]]:
    """Matches predictions and annotations, class by class and distance by distance.

    Args:
        truth: of a split.
        found: predictions of each sample of it, in the same order, as a submission would hold them.
    """
    scenes = int(truth.scene_of_sample.max()) + 1
    return [[_matches(truth, found, label, threshold_m, scenes)
             for threshold_m in config_factory(EVAL_CONFIG).dist_ths] for label in range(len(CLASS_NAMES))]


def _matches(truth: Truth, found: Sequence[GlobalBoxes], label: int, threshold_m: float, scenes: int
             ) -> ClassMatches:
    scores, is_match, scene, annotations = [], [], [], np.zeros(scenes, int)
    for boxes, centers, racks, of_scene in zip(found, truth.centers_m, truth.racks, truth.scene_of_sample):
        ours = np.flatnonzero(boxes.labels == label)
        if label in IN_RACKS and racks:
            ours = ours[~np.any([points_in_box(rack, boxes.center_m[ours].T) for rack in racks], axis=0)]
        objects = centers.get(label, np.zeros((0, 2)))
        order = _best_first(boxes.scores[ours])
        distance_m = center_distances_m(boxes.center_m[ours[order]], objects)
        takes = np.zeros(len(ours), bool)
        takes[order] = match_nearest(distance_m, threshold_m) != UNMATCHED
        scores.append(boxes.scores[ours])
        is_match.append(takes)
        scene.append(np.full(len(ours), of_scene))
        annotations[of_scene] += len(objects)
    flat = [np.concatenate(parts) for parts in (scores, is_match, scene)]
    order = _best_first(flat[0])
    return ClassMatches(flat[0][order], flat[1][order], flat[2][order], annotations)


def _best_first(scores: Float[np.ndarray, ' n']) -> Int[np.ndarray, ' n']:
    """Returns the devkit's order: of equal scores the later comes first."""
    return len(scores) - 1 - np.argsort(-scores[::-1], kind='stable')


def mean_average_precision(matches: Sequence[Sequence[ClassMatches]],
                           scene_weights: Float[np.ndarray, ' scenes']) -> float:
    """Returns the devkit's mAP; classes that only other scenes have are left out of the mean.

    Args:
        matches: of `match_boxes`.
        scene_weights: how often each scene counts.
    """
    return float(np.nanmean([np.mean([one.average_precision(scene_weights) for one in of_class])
                             for of_class in matches]))


def resampled(matches: Sequence[Sequence[ClassMatches]], resamples: int) -> List[float]:
    """Returns the mAP of so many bootstrap resamples of the scenes, the same scenes for every run.

    Args:
        matches: of `match_boxes`.
        resamples: how many.
    """
    scenes = len(matches[0][0].annotations)
    drawn = np.random.default_rng(0).multinomial(scenes, np.full(scenes, 1 / scenes), size=resamples)
    return [mean_average_precision(matches, weights.astype(float)) for weights in drawn]
