"""The rules of a submission: flags, lists, limits, and every field of every box.

Source: nuScenes detection README ("Results format", "Classes and attributes", "Challenge tracks"). The
devkit accepts most violations without a word (infinite numbers, quaternions of any length, attributes of
other classes); they only show as a bad score, so they are refused here. Each finding says whether the
devkit, which the leaderboard runs, refuses it too.

Each rule is stated once and asked of a field of all boxes of a sample together: a full test submission
holds three million boxes.
"""
import math
from itertools import chain
from reprlib import Repr
from typing import Any, Callable, Collection, Dict, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import numpy as np
from numpy.typing import NDArray

from ..nuscenes_facts import MAX_BOXES_PER_SAMPLE, VALID_ATTRIBUTES
from .findings import ERROR, WARNING, Finding

TOP_LEVEL_KEYS = ('meta', 'results')
META_FLAGS = ('use_camera', 'use_lidar', 'use_radar', 'use_map', 'use_external')
# What a model may use at test time on each track; on `open`, everything.
TRACKS = {'lidar': ('use_lidar',), 'vision': ('use_camera',), 'open': META_FLAGS}
RECORD_FIELDS = ('sample_token', 'translation', 'size', 'rotation', 'velocity', 'detection_name',
                 'detection_score', 'attribute_name')
QUATERNION_NORM_TOLERANCE = 1e-3
MAX_TILT_DEG = 10.0
MAX_SPEED_MPS = 60.0
MAX_EGO_DISTANCE_M = 110.0

# A float carries whole numbers up to here exactly; the devkit cannot compute with longer ones.
_MAX_WHOLE = 2 ** 53
# A sample of five million boxes breaks one rule; nobody needs each of them judged.
_MAX_JUDGED = 10 * MAX_BOXES_PER_SAMPLE
_MAX_NAMED_FIELDS = 20
_ATTRIBUTES = {'', *chain.from_iterable(VALID_ATTRIBUTES.values())}
_FIELD_SET = set(RECORD_FIELDS)
_KEY_CHARS = 80

_repr = Repr()
_repr.maxstring, _repr.maxlong, _repr.maxother = 100, 60, 100

XY = Tuple[float, float]


def shown(value: Any) -> str:
    """Returns a value for a message, cut to a length that one reads."""
    return _repr.repr(value)


def shown_key(key: str) -> str:
    """Returns a sample token or a field name for a message, cut to a length that one reads."""
    return key if len(key) <= _KEY_CHARS else f'{key[:_KEY_CHARS]}...'


class Problem(NamedTuple):
    """What is wrong with one value.

    Attributes:
        rule: name of the rule.
        message: what was got and what was expected.
        server_refuses: see Finding.
        severity: see Finding.
    """

    rule: str
    message: str
    server_refuses: bool = False
    severity: str = ERROR


def no_object(value: Any, field: str = '') -> Finding:
    """Returns the finding about a file, or its results, that hold something else than an object."""
    rule, expected = ('results-type', 'an object that maps sample tokens to lists') if field else (
        'top-level', 'an object with meta and results')
    return Finding(ERROR, rule, f'got {type(value).__name__}, expected {expected}', field=field,
                   server_refuses=True)


def check_top_level(keys: Collection[str]) -> Iterator[Finding]:
    """Yields keys that are missing or too many at the top level."""
    for key in TOP_LEVEL_KEYS:
        if key not in keys:
            yield Finding(ERROR, 'top-level', f'{key} is missing, expected exactly meta and '
                          'results', field=key, server_refuses=True)
    for key in keys:
        if key not in TOP_LEVEL_KEYS:
            yield Finding(ERROR, 'top-level', f'got {shown(key)}, expected exactly meta and results',
                          field=shown_key(key))


def check_meta(meta: Any) -> Iterator[Finding]:
    """Yields what is wrong with the declaration of the inputs used."""
    if not isinstance(meta, dict):
        yield Finding(ERROR, 'meta-type', f'got {type(meta).__name__}, expected an object of five '
                      'flags', field='meta')
        return
    for flag in META_FLAGS:
        if flag not in meta:
            yield Finding(ERROR, 'meta-missing-flag', f'{flag} is missing, expected true or false',
                          field=f'meta.{flag}')
        elif type(meta[flag]) is not bool:
            yield Finding(ERROR, 'meta-flag-type', f'got {shown(meta[flag])}, expected true or false',
                          field=f'meta.{flag}')
    for flag in meta:
        if flag not in META_FLAGS:
            yield Finding(ERROR, 'meta-unknown-flag', f'got {shown(flag)}, expected exactly '
                          f'{", ".join(META_FLAGS)}', field=f'meta.{shown_key(flag)}')
    if all(meta.get(flag) is False for flag in META_FLAGS[:3]):
        yield Finding(WARNING, 'meta-no-sensor', 'no sensor is declared as used, expected at '
                      'least one', field='meta')


def challenge_track(meta: Mapping[str, bool]) -> str:
    """Returns the leaderboard track that these flags belong to: lidar, vision or open."""
    used = tuple(flag for flag in META_FLAGS if meta[flag])
    return next((track for track, allowed in TRACKS.items() if used == allowed), 'open')


def check_track(meta: Any, track: Optional[str]) -> Iterator[Finding]:
    """Yields the flags that a track does not allow."""
    used = [flag for flag in META_FLAGS if meta.get(flag) is True] if isinstance(meta, dict) else []
    for flag in used:
        if track is not None and flag not in TRACKS[track]:
            yield Finding(ERROR, 'track', f'got true, expected false on the {track} track, which allows '
                          f'{" and ".join(TRACKS[track])} alone', field=f'meta.{flag}')


def check_sample(records: Any, sample_token: str, ego_xy_global_m: Optional[XY] = None) -> Iterator[Finding]:
    """Yields what is wrong with what stands under one sample token.

    Args:
        records: as parsed from JSON, of any type.
        sample_token: the key under which it stands.
        ego_xy_global_m: where the ego vehicle was, to check distances too; None without a dataset.
    """
    token = shown_key(sample_token)
    place = f'results.{token}'
    if not isinstance(records, list):
        # The devkit walks through whatever it can: nothing at all is as good to it as an empty list.
        is_empty = isinstance(records, (dict, str)) and not records
        yield Finding(ERROR, 'sample-type', f'got {type(records).__name__}, expected a list '
                      'of boxes (an empty one where nothing was found)', token, place,
                      server_refuses=not is_empty)
        return
    if len(records) > MAX_BOXES_PER_SAMPLE:
        rest = f'; only the first {_MAX_JUDGED} were judged' if len(records) > _MAX_JUDGED else ''
        yield Finding(ERROR, 'too-many-boxes', f'got {len(records)} boxes, expected at most '
                      f'{MAX_BOXES_PER_SAMPLE}{rest}', token, place, server_refuses=True)
    with np.errstate(over='ignore'):
        problems = _box_problems(records[:_MAX_JUDGED], sample_token, ego_xy_global_m)
    for index, field, problem in problems:
        yield Finding(problem.severity, problem.rule, problem.message, token,
                      f'{place}[{index}]{field}', problem.server_refuses)


def is_finite_number(value: Any) -> bool:
    """Whether a parsed JSON value is a number that a float can carry (true and false are none)."""
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and abs(value) <= _MAX_WHOLE


def _box_problems(records: List[Any], sample_token: str, ego_xy_global_m: Optional[XY]
                  ) -> List[Tuple[int, str, Problem]]:
    """Returns index, field and problem of all that is wrong with the boxes of a sample, box by box."""
    found: List[Tuple[int, str, Problem]] = []
    boxes: Dict[int, Dict[str, Any]] = {}
    for index, record in enumerate(records):
        if type(record) is not dict:
            found.append((index, '', Problem(
                'record-type', f'got {type(record).__name__}, expected an object with the fields '
                f'{", ".join(RECORD_FIELDS)}', server_refuses=True)))
            continue
        boxes[index] = record
        if record.keys() != _FIELD_SET:
            found.extend((index, '', problem) for problem in _field_names(record))
        found.extend((index, field, problem) for field, problem in _agreement(record, sample_token))
    for field, rule in _FIELD_RULES.items():
        indices = [index for index, record in boxes.items() if field in record]
        found.extend((indices[position], f'.{field}', problem)
                     for position, problem in rule([boxes[index][field] for index in indices]))
    if ego_xy_global_m is not None:
        found.extend(_distances(boxes, ego_xy_global_m))
    found.extend(_repeated_boxes(boxes))
    found.sort(key=lambda entry: entry[0])
    return found


def _field_names(record: Dict[str, Any]) -> Iterator[Problem]:
    """Yields missing and unknown fields."""
    for field in RECORD_FIELDS:
        if field not in record:
            # The devkit takes a missing score for -1.
            yield Problem('missing-field', f'the field {field} is missing',
                          server_refuses=field != 'detection_score')
    unknown = [field for field in record if field not in _FIELD_SET]
    for field in unknown[:_MAX_NAMED_FIELDS]:
        yield Problem('unknown-field', f'got the field {shown(field)}, expected exactly '
                      f'{", ".join(RECORD_FIELDS)}')
    if len(unknown) > _MAX_NAMED_FIELDS:
        yield Problem('unknown-field', f'got {len(unknown)} fields, expected exactly '
                      f'{", ".join(RECORD_FIELDS)}')


def _agreement(record: Dict[str, Any], sample_token: str) -> Iterator[Tuple[str, Problem]]:
    """Yields contradictions between the fields of a record, and between a record and its key."""
    inner = record.get('sample_token')
    if inner != sample_token and isinstance(inner, str):
        yield '.sample_token', Problem('sample-token-mismatch', f'got {shown(inner)} inside the list of '
                                       f'sample {shown(sample_token)}, expected the same token')
    name, attribute = record.get('detection_name'), record.get('attribute_name')
    if isinstance(name, str) and isinstance(attribute, str):
        valid = VALID_ATTRIBUTES.get(name)
        if valid is not None and attribute not in valid:
            yield '.attribute_name', Problem(
                'attribute-of-class', f'got {shown(attribute)} for a {name}, expected '
                f'{" or ".join(map(repr, valid))}', server_refuses=attribute not in _ATTRIBUTES)


# Position in the list and what is wrong there.
Problems = Iterator[Tuple[int, Problem]]
Rule = Callable[[List[Any]], Problems]


def _vectors(values: List[Any], length: int) -> Optional[NDArray[np.float64]]:
    """Returns lists of numbers as (N, length), None where one is something else."""
    if not (set(map(type, values)) <= {list} and set(map(len, values)) <= {length}):
        return None
    numbers = list(chain.from_iterable(values))
    kinds = set(map(type, numbers))
    if not kinds <= {float, int} or int in kinds and not all(map(is_finite_number, numbers)):
        return None
    array = np.array(numbers, dtype=np.float64).reshape(-1, length)
    return array if np.isfinite(array).all() else None


def _vector_problem(value: Any, length: int) -> Optional[Problem]:
    """Returns what keeps a value from being a list of finite numbers of this length."""
    if not isinstance(value, list) or len(value) != length:
        got = f'a list of {len(value)}' if isinstance(value, list) else type(value).__name__
        # Of a velocity the devkit looks at the length alone.
        looks_long_enough = length == 2 and isinstance(value, (str, dict)) and len(value) == length
        return Problem('vector-length', f'got {got}, expected a list of {length} numbers',
                       server_refuses=not looks_long_enough)
    for entry in value:
        if not is_finite_number(entry):
            is_number = type(entry) in (int, float)
            return Problem('not-finite' if is_number else 'number-type',
                           f'got {shown(entry)} in {shown(value)}, expected {length} finite numbers',
                           server_refuses=length != 2 and _stops_isnan(value))
    return None


def _stops_isnan(value: List[Any]) -> bool:
    """Whether the devkit's `assert not np.any(np.isnan(value))` fails, or numpy cannot even compute it."""
    try:
        return bool(np.any(np.isnan(value)))
    except (TypeError, ValueError, OverflowError):
        return True


def _vector_rule(length: int, check: Callable[[NDArray[np.float64]], Problems]) -> Rule:
    """Returns the rule of a field that holds a list of numbers.

    Args:
        length: how many numbers.
        check: gets those lists that are lists of finite numbers, as (N, length).
    """
    def rule(values: List[Any]) -> Problems:
        array = _vectors(values, length)
        if array is not None:
            yield from check(array)
            return
        problems = {position: problem for position, value in enumerate(values)
                    if (problem := _vector_problem(value, length)) is not None}
        yield from problems.items()
        sound = [position for position in range(len(values)) if position not in problems]
        rest = np.array([values[position] for position in sound], dtype=np.float64).reshape(-1, length)
        for row, problem in check(rest):
            yield sound[row], problem
    return rule


def _nothing_more(_: NDArray[np.float64]) -> Problems:
    yield from ()


def _check_size(size_m: NDArray[np.float64]) -> Problems:
    for row in np.flatnonzero((size_m <= 0).any(axis=1)).tolist():
        yield row, Problem('size-not-positive', f'got {size_m[row].tolist()}, expected width, length, '
                           'height above 0 m')


def _check_rotation(quaternion: NDArray[np.float64]) -> Problems:
    # Lengths are as math.hypot has them: a square of a large number would be infinite.
    w, x, y, z = quaternion.T
    norm = np.hypot(np.hypot(w, x), np.hypot(y, z))
    is_unit = np.abs(norm - 1) <= QUATERNION_NORM_TOLERANCE
    for row in np.flatnonzero(~is_unit).tolist():
        yield row, Problem('quaternion-norm', f'got {quaternion[row].tolist()} of length '
                           f'{norm[row]:.6g}, expected a unit quaternion w, x, y, z')
    leaning = np.hypot(x, y) / np.where(is_unit, norm, np.inf)
    tilt_deg = np.degrees(2 * np.arcsin(np.minimum(1, leaning)))
    for row in np.flatnonzero(tilt_deg > MAX_TILT_DEG).tolist():
        yield row, Problem('tilted-box', f'got {quaternion[row].tolist()}, a box that leans by '
                           f'{tilt_deg[row]:.1f} degrees; nuScenes boxes stand upright (is the order w, x, '
                           'y, z?)', severity=WARNING)


def _check_velocity(velocity_mps: NDArray[np.float64]) -> Problems:
    speed_mps = np.hypot(velocity_mps[:, 0], velocity_mps[:, 1])
    for row in np.flatnonzero(speed_mps >= MAX_SPEED_MPS).tolist():
        yield row, Problem('fast-box', f'got {velocity_mps[row].tolist()}, {speed_mps[row]:.1f} m/s, '
                           f'expected below {MAX_SPEED_MPS:g} m/s', severity=WARNING)


def _check_scores(values: List[Any]) -> Problems:
    for position, value in enumerate(values):
        if type(value) is float and 0 < value <= 1:
            continue
        if type(value) not in (int, float):
            yield position, Problem('score-type', f'got {shown(value)}, expected a number in [0, 1]',
                                    server_refuses=_stops_float(value))
        elif not is_finite_number(value):
            yield position, Problem('not-finite', f'got {shown(value)}, expected a number in [0, 1]',
                                    server_refuses=_stops_float(value))
        elif not 0 <= value <= 1:
            yield position, Problem('score-range', f'got {value!r}, expected a number in [0, 1]')
        elif value == 0:
            yield position, Problem('score-zero', 'got 0: a match with score 0 makes every error of its '
                                    'class 1; leave the box out', severity=WARNING)


def _stops_float(value: Any) -> bool:
    """Whether the devkit's `float(value)` fails, or its check that the score is not NaN."""
    try:
        return math.isnan(float(value))
    except (TypeError, ValueError, OverflowError):
        return True


def _check_names(values: List[Any]) -> Problems:
    for position, value in enumerate(values):
        if type(value) is not str or value not in VALID_ATTRIBUTES:
            yield position, Problem('unknown-class', f'got {shown(value)}, expected one of '
                                    f'{", ".join(VALID_ATTRIBUTES)}', server_refuses=True)


def _check_strings(values: List[Any]) -> Problems:
    for position, value in enumerate(values):
        if type(value) is not str:
            yield position, Problem('string-type', f'got {shown(value)}, expected a string',
                                    server_refuses=True)


def _distances(boxes: Dict[int, Dict[str, Any]], ego_xy_global_m: XY) -> Iterator[Tuple[int, str, Problem]]:
    """Yields boxes that are too far from the ego vehicle to have been seen from it."""
    centers = {index: center for index, record in boxes.items()
               if type(center := record.get('translation')) is list and len(center) == 3}
    if _vectors(list(centers.values()), 3) is None:
        # What is no list of finite numbers breaks a rule of its own.
        centers = {index: center for index, center in centers.items() if all(map(is_finite_number, center))}
    center_m = np.array(list(centers.values()), dtype=np.float64).reshape(-1, 3)
    distance_m = np.hypot(center_m[:, 0] - ego_xy_global_m[0], center_m[:, 1] - ego_xy_global_m[1])
    indices = list(centers)
    for row in np.flatnonzero(distance_m > MAX_EGO_DISTANCE_M).tolist():
        yield indices[row], '.translation', Problem(
            'far-from-ego', f'got {center_m[row].tolist()}, {distance_m[row]:.1f} m from the ego vehicle, '
            f'expected at most {MAX_EGO_DISTANCE_M:g} m (are the boxes in the global frame?)')


def _repeated_boxes(boxes: Dict[int, Dict[str, Any]]) -> Iterator[Tuple[int, str, Problem]]:
    """Yields records that repeat the class, place, size and rotation of an earlier one."""
    try:
        places = {(record['detection_name'], *record['translation']) for record in boxes.values()}
        if len(places) == len(boxes):
            return
    except (KeyError, TypeError):
        pass  # some record is malformed; its own rule says so
    first_seen: Dict[Any, int] = {}
    for index, record in boxes.items():
        try:
            key = (record['detection_name'], *record['translation'], *record['size'], *record['rotation'])
            earlier = first_seen.setdefault(key, index)
        except (KeyError, TypeError):
            continue
        if earlier != index:
            yield index, '', Problem('duplicate-box', f'repeats box {earlier}; the second can only be a '
                                     'false positive', severity=WARNING)


_FIELD_RULES: Dict[str, Rule] = {
    'sample_token': _check_strings,
    'translation': _vector_rule(3, _nothing_more),
    'size': _vector_rule(3, _check_size),
    'rotation': _vector_rule(4, _check_rotation),
    'velocity': _vector_rule(2, _check_velocity),
    'detection_name': _check_names,
    'detection_score': _check_scores,
    'attribute_name': _check_strings,
}
