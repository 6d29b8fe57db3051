"""What the devkit evaluates in a results file, with the facts that a breakdown asks for.

The boxes come from the unmodified devkit, loaded and filtered by it; facts that it drops on the way
(visibility, number of LiDAR points) are looked up in the tables again.
"""
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Tuple, Union

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.data_classes import DetectionBox, DetectionConfig
from nuscenes.eval.detection.evaluate import DetectionEval
from nuscenes.eval.detection.utils import category_to_detection_name

from geminifusion3d.results.devkit_eval import EVAL_CONFIG, quiet

from .official_matching import ClassBoxes, boxes_of_class


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


def load_evaluated_boxes(*, result_path: Union[str, Path], tables: NuScenes, split: str
                         ) -> EvaluatedBoxes:
    """Lets the devkit load and filter predictions and annotations.

    Args:
        result_path: results JSON; every sample of the split must be a key.
        tables: the dataset.
        split: official or custom.
    """
    config = config_factory(EVAL_CONFIG)
    with tempfile.TemporaryDirectory() as folder, quiet():
        judge = DetectionEval(tables, config=config, result_path=str(result_path),
                              eval_set=split, output_dir=folder, verbose=False)
    tokens = tuple(judge.pred_boxes.sample_tokens)
    facts_by_key = _facts_by_box(tables, tokens)
    classes = tuple(boxes_of_class(name, tokens, judge.gt_boxes.boxes, judge.pred_boxes.boxes)
                    for name in config.class_names)
    facts = {boxes.name: tuple(facts_by_key[_key(box)] for box in boxes.annotations)
             for boxes in classes}
    scenes = [tables.get('scene', tables.get('sample', token)['scene_token']) for token in tokens]
    return EvaluatedBoxes(
        config=config, classes=classes, annotation_facts=facts, tokens=tokens,
        scene_of_sample=tuple(scene['name'] for scene in scenes),
        scene_facts={scene['name']: _facts_of_scene(tables, scene) for scene in scenes})


def _facts_of_scene(tables: NuScenes, scene: Dict[str, Any]) -> Dict[str, str]:
    return {'description': scene['description'],
            'city': tables.get('log', scene['log_token'])['location']}


def _facts_by_box(tables: NuScenes, tokens: Tuple[str, ...]) -> Dict[Tuple, AnnotationFacts]:
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


def ego_distances_m(boxes: Union[List[DetectionBox], Tuple[DetectionBox, ...]]) -> np.ndarray:
    """Returns each box's distance from the ego vehicle in the ground plane."""
    return np.array([box.ego_dist for box in boxes], dtype=float)


def speeds_mps(boxes: Union[List[DetectionBox], Tuple[DetectionBox, ...]]) -> np.ndarray:
    """Returns each box's speed, NaN where an annotation's is not known."""
    return np.array([np.hypot(*box.velocity) for box in boxes], dtype=float)
