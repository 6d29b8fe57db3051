"""What the devkit evaluates in a results file, with the facts that a breakdown asks for.

The boxes are loaded and filtered by the unmodified devkit, predictions one sample after the other: all of
them at once take ten gigabytes for a full split. Facts that it drops on the way (visibility, number of LiDAR
points) are looked up in the tables again.
"""
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Mapping, Sequence, Tuple, Union

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes, load_gt_of_sample_tokens
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionConfig
from nuscenes.eval.detection.utils import category_to_detection_name

from geminifusion3d.results.devkit_eval import EVAL_CONFIG, quiet
from geminifusion3d.submission.split_samples import scene_names
from geminifusion3d.submission.submission import read_samples

from .official_matching import ClassBoxes, Predictions, boxes_of_class

Boxes = Union[Sequence[DetectionBox], Predictions]


@dataclass(frozen=True)
class AnnotationFacts:
    """What the tables say about one annotation and a DetectionBox does not carry.

    Attributes:
        visibility: the level's name, such as v80-100.
        n_lidar_points: LiDAR points in the box.
    """

    visibility: str
    n_lidar_points: int


@dataclass(frozen=True)
class EvaluatedBoxes:
    """The boxes that count, class by class, and what is known about them.

    Attributes:
        config: the devkit's configuration.
        classes: every class of the configuration.
        annotation_facts: by class, in the order of its annotations.
        tokens: the samples.
        scene_of_sample: scene name of each sample.
        scene_facts: description and city by scene name.
    """

    config: DetectionConfig
    classes: Tuple[ClassBoxes, ...]
    annotation_facts: Dict[str, Tuple[AnnotationFacts, ...]]
    tokens: Tuple[str, ...]
    scene_of_sample: Tuple[str, ...]
    scene_facts: Dict[str, Dict[str, str]]


def load_evaluated_boxes(*, result_path: Union[str, Path], tables: NuScenes, split: str) -> EvaluatedBoxes:
    """Lets the devkit load and filter predictions and annotations.

    Args:
        result_path: results JSON; every sample of the split must be a key.
        tables: the dataset.
        split: official or custom.

    Raises:
        ValueError: if the file is of other samples, or the devkit would not take it.
    """
    config = config_factory(EVAL_CONFIG)
    names = scene_names(Path(tables.table_root), tables.version, split)
    expected = [sample['token'] for sample in tables.sample
                if tables.get('scene', sample['scene_token'])['name'] in names]
    tokens: List[str] = []
    rows = {name: array('d') for name in config.class_names}
    with quiet():
        annotations = filtered(tables, load_gt_of_sample_tokens(tables, expected, DetectionBox), config)
        for token, records in read_samples(result_path):
            if len(records) > config.max_boxes_per_sample:
                raise ValueError(f'sample {token} has {len(records)} boxes, expected at most '
                                 f'{config.max_boxes_per_sample}')
            found = EvalBoxes()
            found.add_boxes(token, [DetectionBox.deserialize(dict(record)) for record in records])
            for box in filtered(tables, found, config)[token]:
                rows[box.detection_name].extend(Predictions.packed(box, len(tokens)))
            tokens.append(token)
    if set(tokens) != set(expected):
        raise ValueError(f'{result_path} holds {len(tokens)} samples, expected the {len(expected)} of '
                         f'{split}')
    facts_by_key = _facts_by_box(tables, tokens)
    classes = tuple(boxes_of_class(name, tokens, annotations, Predictions(name, tokens, rows.pop(name)))
                    for name in config.class_names)
    facts = {boxes.name: tuple(facts_by_key[_key(box)] for box in boxes.annotations) for boxes in classes}
    scenes = [tables.get('scene', tables.get('sample', token)['scene_token']) for token in tokens]
    return EvaluatedBoxes(
        config=config, classes=classes, annotation_facts=facts, tokens=tuple(tokens),
        scene_of_sample=tuple(scene['name'] for scene in scenes),
        scene_facts={scene['name']: _facts_of_scene(tables, scene) for scene in scenes})


def filtered(tables: NuScenes, boxes: EvalBoxes, config: DetectionConfig) -> Mapping[str, List[DetectionBox]]:
    """Applies the devkit's range, point and bicycle-rack filters.

    Args:
        tables: the dataset.
        boxes: annotations or predictions; they change.
        config: the devkit's configuration.
    """
    # The devkit raises `Invalid box type: None` where there is nothing to filter.
    if any(boxes.boxes.values()):
        boxes = filter_eval_boxes(tables, add_center_dist(tables, boxes), config.class_range)
    return boxes.boxes


def _facts_of_scene(tables: NuScenes, scene: Dict[str, Any]) -> Dict[str, str]:
    return {'description': scene['description'], 'city': tables.get('log', scene['log_token'])['location']}


def _facts_by_box(tables: NuScenes, tokens: Sequence[str]) -> Dict[Tuple, AnnotationFacts]:
    """Returns the facts of every annotation under what identifies its DetectionBox."""
    facts = {}
    for token in tokens:
        for annotation_token in tables.get('sample', token)['anns']:
            row = tables.get('sample_annotation', annotation_token)
            name = category_to_detection_name(row['category_name'])
            if name is not None:
                key = (token, name, *row['translation'], *row['size'], *row['rotation'])
                facts[key] = AnnotationFacts(
                    visibility=_visibility(tables, row), n_lidar_points=row['num_lidar_pts'])
    return facts


def _visibility(tables: NuScenes, row: Dict[str, Any]) -> str:
    levels = {level['token']: level['level'] for level in tables.visibility}
    return levels.get(row['visibility_token'], 'unknown')


def _key(box: DetectionBox) -> Tuple:
    return (box.sample_token, box.detection_name, *box.translation, *box.size, *box.rotation)


def ego_distances_m(boxes: Boxes) -> np.ndarray:
    """Returns each box's distance from the ego vehicle in the ground plane."""
    if isinstance(boxes, Predictions):
        return np.sqrt(np.sum(boxes.column('ego_translation')[:, :2] ** 2, axis=1))
    return np.array([box.ego_dist for box in boxes], dtype=float)


def speeds_mps(boxes: Boxes) -> np.ndarray:
    """Returns each box's speed, NaN where an annotation's is not known."""
    if isinstance(boxes, Predictions):
        return np.hypot(*boxes.column('velocity').T)
    return np.array([np.hypot(*box.velocity) for box in boxes], dtype=float)
