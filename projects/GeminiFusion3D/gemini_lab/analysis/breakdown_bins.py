"""The questions of a breakdown, each a partition of the annotations into named bins.

A prediction without an annotation belongs to the bin that its own property names (distance, speed)
or to its sample's bin (light, weather, city). Where a prediction has no such property (visibility,
LiDAR points) it counts as a false positive in every bin: there a bin's AP is a lower bound, to be
compared between detectors and not between bins.
"""
import re
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

import numpy as np

from geminifusion3d.nuscenes_facts import MOVING_SPEED_MPS

from .evaluated_boxes import Boxes, EvaluatedBoxes, ego_distances_m, speeds_mps
from .official_matching import ClassBoxes

ANY_BIN = -1
NO_BIN = -2
DISTANCE_EDGES_M = (0, 20, 30, 40, 50)
POINT_EDGES = (1, 6, 11, 51, 201)
VISIBILITIES = ('v0-40', 'v40-60', 'v60-80', 'v80-100', 'unknown')


@dataclass(frozen=True)
class Question:
    """One way to split the annotations.

    Attributes:
        name: what is asked.
        bins: the possible answers.
        of_annotations: bin index of each annotation of a class, NO_BIN where there is no answer.
        of_predictions: bin index of each prediction of a class, as if it had no annotation;
            ANY_BIN where it belongs to all.
        sees_predictions: whether of_predictions tells bins apart.
    """

    name: str
    bins: Tuple[str, ...]
    of_annotations: Callable[[ClassBoxes], np.ndarray]
    of_predictions: Callable[[ClassBoxes], np.ndarray]
    sees_predictions: bool = True


def questions(evaluated: EvaluatedBoxes) -> Tuple[Question, ...]:
    """Returns all questions that can be asked of these boxes."""
    scenes = evaluated.scene_facts
    cities = tuple(sorted({facts['city'] for facts in scenes.values()}))
    return (
        whole(),
        _by_distance(),
        _by_speed(),
        _by_fact(evaluated, 'visibility', VISIBILITIES,
                 lambda facts: VISIBILITIES.index(
                     facts.visibility if facts.visibility in VISIBILITIES else 'unknown')),
        _by_fact(evaluated, 'LiDAR points', _range_names(POINT_EDGES, ''),
                 lambda facts: _interval(np.array(facts.n_lidar_points), POINT_EDGES)),
        _by_scene(evaluated, 'light', ('day', 'night'),
                  lambda facts: int(says(facts['description'], 'night'))),
        _by_scene(evaluated, 'weather', ('dry', 'rain'),
                  lambda facts: int(says(facts['description'], 'rain'))),
        _by_scene(evaluated, 'city', cities, lambda facts: cities.index(facts['city'])))


def says(description: str, word: str) -> bool:
    """Returns whether a description has the word or one that begins so: rain, rainy, but not train."""
    return re.search(rf'\b{word}', description, re.IGNORECASE) is not None


def whole() -> Question:
    """Returns the question with one bin, which reproduces the devkit."""
    return Question('all', ('all', ), lambda boxes: np.zeros(len(boxes.annotations), dtype=int),
                    lambda boxes: np.zeros(len(boxes.predictions), dtype=int))


def _by_distance() -> Question:
    return Question('distance', _range_names(DISTANCE_EDGES_M, ' m')[:-1],
                    lambda boxes: _interval(ego_distances_m(boxes.annotations), DISTANCE_EDGES_M),
                    lambda boxes: _interval(ego_distances_m(boxes.predictions), DISTANCE_EDGES_M))


def _by_speed() -> Question:
    def bins_of(boxes: Boxes) -> np.ndarray:
        speeds = speeds_mps(boxes)
        return np.where(np.isnan(speeds), NO_BIN, speeds > MOVING_SPEED_MPS)
    return Question('motion', ('standing', 'moving'),
                    lambda boxes: bins_of(boxes.annotations), lambda boxes: bins_of(boxes.predictions))


def _by_fact(evaluated: EvaluatedBoxes, name: str, bins: Tuple[str, ...],
             bin_of: Callable) -> Question:
    def of_annotations(boxes: ClassBoxes) -> np.ndarray:
        facts = evaluated.annotation_facts[boxes.name]
        return np.array([int(bin_of(entry)) for entry in facts], dtype=int)
    return Question(name, bins, of_annotations,
                    lambda boxes: np.full(len(boxes.predictions), ANY_BIN), sees_predictions=False)


def _by_scene(evaluated: EvaluatedBoxes, name: str, bins: Tuple[str, ...],
              bin_of: Callable[[Dict[str, str]], int]) -> Question:
    of_sample = np.array([bin_of(evaluated.scene_facts[scene])
                          for scene in evaluated.scene_of_sample], dtype=int)
    return Question(name, bins, lambda boxes: of_sample[boxes.annotation_sample],
                    lambda boxes: of_sample[boxes.prediction_sample])


def _interval(values: np.ndarray, edges: Tuple[int, ...]) -> np.ndarray:
    """Returns the index of the half-open interval; below the first edge is no bin."""
    index = np.searchsorted(edges, values, side='right') - 1
    return np.where(index < 0, NO_BIN, index)


def _range_names(edges: Tuple[int, ...], unit: Optional[str]) -> Tuple[str, ...]:
    """Names intervals: distances by their edges, counts by the numbers that they hold."""
    if unit:
        inner = tuple(f'{low}-{high}{unit}' for low, high in zip(edges, edges[1:]))
    else:
        inner = tuple(f'{low}-{high - 1}' for low, high in zip(edges, edges[1:]))
    return (*inner, f'{edges[-1]}{unit} and more')
