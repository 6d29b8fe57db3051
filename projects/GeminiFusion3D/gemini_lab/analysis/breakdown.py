"""AP and the five errors of parts of a split: near and far, day and night, moving and standing.

Every number rests on the devkit's matching of the whole split. A part asks for its annotations; a
prediction that took an annotation of another part is left out, as the devkit leaves out bicycles in
racks. With one part the numbers are the devkit's own.

A breakdown's questions are each a partition of the annotations into named bins. A prediction without an
annotation belongs to the bin that its own property names (distance, speed) or to its sample's bin (light,
weather, city). Where a prediction has no such property (visibility, LiDAR points) it counts as a false
positive in every bin: there a bin's AP is a lower bound, to be compared between detectors and not between
bins.
"""
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from nuscenes.eval.detection.algo import calc_ap, calc_tp
from nuscenes.eval.detection.constants import TP_METRICS

from geminifusion3d.cli import plural
from geminifusion3d.nuscenes_facts import MOVING_SPEED_MPS, UNDEFINED_ERRORS
from geminifusion3d.results.devkit_eval import ERROR_NAMES

from ..text_table import number, terminal_table
from .evaluated_boxes import Boxes, EvaluatedBoxes, ego_distances_m, speeds_mps
from .official_matching import ClassBoxes, Matches, match, metric_data

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


def _by_fact(evaluated: EvaluatedBoxes, name: str, bins: Tuple[str, ...], bin_of: Callable) -> Question:
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


# Of the resamples, the middle 95 %.
INTERVAL_PERCENTILES = (2.5, 97.5)
Interval = Optional[Tuple[float, float]]
# With fewer, intervals over scenes mean little.
FEW_SCENES = 10


@dataclass(frozen=True)
class Part:
    """What one class has in one bin, ready for the curves.

    Attributes:
        boxes: the class.
        matches: its matches by threshold in metres.
        has_annotation: which annotations lie in the bin.
        counts: by threshold, which predictions count in it.
    """

    boxes: ClassBoxes
    matches: Dict[float, Matches]
    has_annotation: np.ndarray
    counts: Dict[float, np.ndarray]

    @cached_property
    def annotation_sample(self) -> np.ndarray:
        """Index of the sample of each annotation in the bin."""
        return self.boxes.annotation_sample[self.has_annotation]

    @cached_property
    def counting(self) -> Dict[float, Tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """By threshold: score, whether it has an annotation, and sample of each prediction that counts."""
        return {threshold_m: (self.boxes.scores[counts], self.matches[threshold_m].is_match[counts],
                              self.boxes.prediction_sample[counts])
                for threshold_m, counts in self.counts.items()}

    @cached_property
    def errors(self) -> Dict[float, Dict[str, np.ndarray]]:
        """By threshold, the errors of each prediction that counts."""
        return {threshold_m: {name: values[self.counts[threshold_m]] for name, values in pairs.errors.items()}
                for threshold_m, pairs in self.matches.items()}


def breakdown(evaluated: EvaluatedBoxes, resamples: int = 0, seed: int = 0,
              tick: Callable[[], None] = lambda: None,
              matched: Optional[Mapping[str, Dict[float, Matches]]] = None) -> Dict[str, Any]:
    """Answers every question.

    Args:
        evaluated: the boxes that count.
        resamples: how many bootstrap resamples of the scenes for the intervals; 0 for none.
        seed: of the resampling.
        tick: called when a bin is done.
        matched: what `match_all` gave, if it is there.

    Returns:
        `n_scenes`, and in `questions` for each question its bins with counts, AP and errors; see
        the keys in score_parts.
    """
    matched = matched or match_all(evaluated)
    weights = scene_weights(evaluated, resamples, seed)
    return {'n_scenes': len(evaluated.scene_facts), 'n_samples': len(evaluated.tokens),
            'resamples': resamples,
            'questions': [_answer(question, evaluated, matched, weights, tick)
                          for question in questions(evaluated)]}


def match_all(evaluated: EvaluatedBoxes) -> Dict[str, Dict[float, Matches]]:
    """Returns the matches of every class at every threshold, with errors at the one where they count."""
    config = evaluated.config
    return {boxes.name: {threshold_m: match(boxes, threshold_m, with_errors=threshold_m == config.dist_th_tp)
                         for threshold_m in config.dist_ths}
            for boxes in evaluated.classes}


def scene_weights(evaluated: EvaluatedBoxes, resamples: int, seed: int) -> np.ndarray:
    """Returns how often each sample counts in each resample, (resamples, samples).

    Scenes are drawn with replacement, all samples of a scene together: they are not independent.
    """
    names, scene_of_sample = np.unique(evaluated.scene_of_sample, return_inverse=True)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=resamples)
    return drawn.reshape(resamples, len(names))[:, scene_of_sample].astype(float)


def _answer(question: Question, evaluated: EvaluatedBoxes,
            matched: Mapping[str, Dict[float, Matches]], weights: np.ndarray, tick: Callable[[], None]
            ) -> Dict[str, Any]:
    bins = []
    for index, name in enumerate(question.bins):
        parts = [part_of(question, index, boxes, matched[boxes.name]) for boxes in evaluated.classes]
        scores = score_parts(parts, evaluated)
        if len(weights):
            scores = with_intervals(scores, score_resamples(parts, evaluated, weights))
        bins.append({'name': name, **scores})
        tick()
    return {'name': question.name, 'false_positives_by_bin': question.sees_predictions, 'bins': bins}


def score_resamples(parts: List[Part], evaluated: EvaluatedBoxes, weights: np.ndarray
                    ) -> List[Dict[str, Any]]:
    """Returns the scores of one bin in each resample; equal ones, frequent where scenes are few, once."""
    known: Dict[bytes, Dict[str, Any]] = {}
    for row in weights:
        if row.tobytes() not in known:
            known[row.tobytes()] = score_parts(parts, evaluated, row)
    return [known[row.tobytes()] for row in weights]


def with_intervals(scores: Dict[str, Any], resampled: List[Dict[str, Any]]) -> Dict[str, Any]:
    """Returns the scores of a bin with the interval of every mean and of every class's AP."""
    means = {**{key: interval([entry[key] for entry in resampled]) for key in ('mean_ap', 'nd_score')},
             **{error: interval([entry['errors'][error] for entry in resampled]) for error in TP_METRICS}}
    classes = {name: {**row, 'ap_interval': interval([
        entry['classes'][name]['ap'] for entry in resampled if name in entry['classes']])}
        for name, row in scores['classes'].items()}
    return {**scores, 'classes': classes, 'intervals': means}


def part_of(question: Question, index: int, boxes: ClassBoxes, matches: Dict[float, Matches]) -> Part:
    """Selects the annotations and predictions of one class that belong to one bin."""
    bin_of_annotation = question.of_annotations(boxes)
    bin_of_prediction = question.of_predictions(boxes)
    belongs = (bin_of_prediction == index) | (bin_of_prediction == ANY_BIN)
    has_annotation = bin_of_annotation == index
    counts = {}
    for threshold_m, pairs in matches.items():
        of_match = np.zeros(len(belongs), dtype=bool)
        of_match[pairs.is_match] = has_annotation[pairs.annotation_of[pairs.is_match]]
        counts[threshold_m] = np.where(pairs.is_match, of_match, belongs)
    return Part(boxes=boxes, matches=matches, has_annotation=has_annotation, counts=counts)


def score_parts(parts: List[Part], evaluated: EvaluatedBoxes,
                sample_weights: Optional[np.ndarray] = None) -> Dict[str, Any]:
    """Returns the scores of one bin: a row per class, and means over the classes that it has."""
    rows = {part.boxes.name: row for part in parts
            if (row := _score_class(part, evaluated, sample_weights)) is not None}
    errors = {name: _mean([row['errors'][name] for row in rows.values()]) for name in TP_METRICS}
    mean_ap = _mean([row['ap'] for row in rows.values()])
    return {'n_annotations': sum(int(part.has_annotation.sum()) for part in parts),
            'mean_ap': mean_ap, 'nd_score': _nd_score(mean_ap, errors, evaluated),
            'errors': errors, 'classes': rows}


def _score_class(part: Part, evaluated: EvaluatedBoxes, sample_weights: Optional[np.ndarray]
                 ) -> Optional[Dict[str, Any]]:
    """Returns AP by threshold, their mean and the errors; None without annotations."""
    config, boxes = evaluated.config, part.boxes
    n_annotations = len(part.annotation_sample) if sample_weights is None else (
        sample_weights[part.annotation_sample].sum())
    if n_annotations == 0:
        return None
    curves = {}
    for threshold_m, (scores, is_match, sample) in part.counting.items():
        curves[threshold_m] = metric_data(
            scores=scores, is_match=is_match, n_annotations=n_annotations,
            errors=part.errors[threshold_m],
            weights=None if sample_weights is None else sample_weights[sample])
    aps = {str(threshold_m): calc_ap(curve, config.min_recall, config.min_precision)
           for threshold_m, curve in curves.items()}
    undefined = UNDEFINED_ERRORS.get(boxes.name, ())
    errors = {name: None if name in undefined else
              calc_tp(curves[config.dist_th_tp], config.min_recall, name) for name in TP_METRICS}
    return {'n_annotations': len(part.annotation_sample), 'ap': float(np.mean(list(aps.values()))),
            'ap_by_threshold_m': aps, 'errors': errors}


def _nd_score(mean_ap: Optional[float], errors: Dict[str, Optional[float]],
              evaluated: EvaluatedBoxes) -> Optional[float]:
    """Returns the nuScenes detection score of the classes that are there."""
    if mean_ap is None:
        return None
    weight = evaluated.config.mean_ap_weight
    scores = [max(0.0, 1.0 - error) for error in errors.values() if error is not None]
    return float(weight * mean_ap + sum(scores)) / float(weight + len(scores))


def _mean(values: List[Optional[float]]) -> Optional[float]:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def interval(values: Sequence[Optional[float]]) -> Interval:
    """Returns the middle 95 % of the figures that exist, NaN and None left out; None where there is none."""
    known = np.array(values, dtype=float)
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    low, high = np.percentile(known, INTERVAL_PERCENTILES)
    return float(low), float(high)


def format_breakdown(result: Dict[str, Any]) -> str:
    """Returns one line per part that has objects: their number, mAP, NDS, errors, intervals."""
    header = ['', 'objects', 'mAP', 'NDS', *(ERROR_NAMES[name] for name in TP_METRICS), 'mAP in', 'NDS in']
    rows = []
    for question in result['questions']:
        rows.append([question['name'] + ('' if question['false_positives_by_bin'] else ' *'),
                     *[''] * (len(header) - 1)])
        rows += [_line(entry) for entry in question['bins'] if entry['n_annotations']]
    if not result['resamples']:
        header, rows = header[:-2], [row[:-2] for row in rows]
    return '\n'.join([terminal_table(header, rows), '', *breakdown_notes(result)])


def breakdown_notes(result: Dict[str, Any]) -> List[str]:
    """Returns how to read the numbers of a breakdown, a sentence or two each."""
    notes = ['Means are over the classes that a part has; a class without objects is not counted as 0.',
             '* A false positive cannot be assigned to one of these parts and counts in all: lower bounds, '
             'to be compared between models and not between rows.']
    if result['resamples']:
        scenes = plural(result['n_scenes'], 'scene')
        few = f' With {scenes} they mean little.' if result['n_scenes'] < FEW_SCENES else ''
        notes.append(f'Intervals: the middle 95 % of {plural(result["resamples"], "bootstrap resample")} of '
                     f'{scenes}; none where only one scene has the objects.{few}')
    return notes


def _line(entry: Dict[str, Any]) -> List[str]:
    values = [entry['mean_ap'], entry['nd_score'], *(entry['errors'][name] for name in TP_METRICS)]
    intervals = [entry.get('intervals', {}).get(key) for key in ('mean_ap', 'nd_score')]
    return [f'  {entry["name"]}', str(entry['n_annotations']), *map(number, values),
            *('' if bounds is None else f'[{bounds[0]:.3f}, {bounds[1]:.3f}]' for bounds in intervals)]
