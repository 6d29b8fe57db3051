"""The rules that one record of a submission must obey on its own.

Source: nuScenes detection README ("Results format", "Classes and attributes"). The devkit itself
silently accepts most violations (infinite numbers, quaternions of any length, attributes of other
classes); they only show as a bad score, so they are refused here.
"""
import math
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from ..nuscenes_facts import VALID_ATTRIBUTES
from .findings import ERROR, WARNING, Finding

Problem = Tuple[str, str, str]

RECORD_FIELDS = ('sample_token', 'translation', 'size', 'rotation', 'velocity', 'detection_name',
                 'detection_score', 'attribute_name')
QUATERNION_NORM_TOLERANCE = 1e-3
MAX_TILT_DEG = 10.0
MAX_SPEED_MPS = 60.0
MAX_EGO_DISTANCE_M = 110.0


def check_record(record: Any, sample_token: str, index: int) -> Iterator[Finding]:
    """Yields what is wrong with one record.

    Args:
        record: as parsed from JSON, of any type.
        sample_token: the key under which the record stands.
        index: its position in the list of that sample.
    """
    place = f'results.{sample_token}[{index}]'
    if not isinstance(record, dict):
        yield Finding(ERROR, 'record-type', f'got {type(record).__name__}, expected an object '
                      f'with the fields {", ".join(RECORD_FIELDS)}', sample_token, place)
        return
    if record.keys() != _FIELD_SET:
        yield from _check_field_names(record, sample_token, place)
    for field, rule in _FIELD_RULES.items():
        if field in record:
            for severity, name, message in rule(record[field]):
                yield Finding(severity, name, message, sample_token, f'{place}.{field}')
    yield from _check_agreement(record, sample_token, place)


def is_finite_number(value: Any) -> bool:
    """Whether a parsed JSON value is a number that a float can carry (true and false are none)."""
    if type(value) is float:
        return math.isfinite(value)
    return type(value) is int and abs(value) < 1e308


def _check_field_names(record: Dict[str, Any], sample_token: str, place: str) -> Iterator[Finding]:
    """Yields missing and unknown fields."""
    for field in RECORD_FIELDS:
        if field not in record:
            yield Finding(ERROR, 'missing-field', f'the field {field} is missing', sample_token,
                          place)
    for field in record:
        if field not in _FIELD_SET:
            yield Finding(ERROR, 'unknown-field', f'got the field {field!r}, expected exactly '
                          f'{", ".join(RECORD_FIELDS)}', sample_token, place)


def _check_agreement(record: Dict[str, Any], sample_token: str, place: str) -> Iterator[Finding]:
    """Yields contradictions between the fields of a record, and between a record and its key."""
    inner = record.get('sample_token')
    if isinstance(inner, str) and inner != sample_token:
        yield Finding(ERROR, 'sample-token-mismatch', f'got {inner!r} inside the list of sample '
                      f'{sample_token!r}, expected the same token', sample_token,
                      f'{place}.sample_token')
    name, attribute = record.get('detection_name'), record.get('attribute_name')
    valid = VALID_ATTRIBUTES.get(name) if isinstance(name, str) else None
    if valid is not None and isinstance(attribute, str) and attribute not in valid:
        yield Finding(ERROR, 'attribute-of-class', f'got {attribute!r} for a {name}, expected '
                      f'{" or ".join(map(repr, valid))}', sample_token, f'{place}.attribute_name')


def _vector_problem(value: Any, length: int) -> Optional[Problem]:
    """Returns what keeps a value from being a list of finite numbers of this length."""
    if not isinstance(value, list) or len(value) != length:
        got = f'a list of {len(value)}' if isinstance(value, list) else type(value).__name__
        return ERROR, 'vector-length', f'got {got}, expected a list of {length} numbers'
    for entry in value:
        if not is_finite_number(entry):
            is_number = type(entry) in (int, float)
            return ERROR, 'not-finite' if is_number else 'number-type', \
                f'got {entry!r} in {value}, expected {length} finite numbers'
    return None


def _check_translation(value: Any) -> Iterator[Problem]:
    problem = _vector_problem(value, 3)
    if problem:
        yield problem


def _check_size(value: Any) -> Iterator[Problem]:
    problem = _vector_problem(value, 3)
    if problem:
        yield problem
    elif min(value) <= 0:
        yield ERROR, 'size-not-positive', f'got {value}, expected width, length, height above 0 m'


def _check_rotation(value: Any) -> Iterator[Problem]:
    problem = _vector_problem(value, 4)
    if problem:
        yield problem
        return
    norm = math.hypot(*value)
    if abs(norm - 1) > QUATERNION_NORM_TOLERANCE:
        yield ERROR, 'quaternion-norm', f'got {value} of length {norm:.6g}, expected a unit ' \
            'quaternion w, x, y, z'
        return
    tilt_deg = math.degrees(2 * math.asin(min(1.0, math.hypot(value[1], value[2]) / norm)))
    if tilt_deg > MAX_TILT_DEG:
        yield WARNING, 'tilted-box', f'got {value}, a box that leans by {tilt_deg:.1f} degrees; ' \
            'nuScenes boxes stand upright (is the order w, x, y, z?)'


def _check_velocity(value: Any) -> Iterator[Problem]:
    problem = _vector_problem(value, 2)
    if problem:
        yield problem
    elif math.hypot(*value) >= MAX_SPEED_MPS:
        yield WARNING, 'fast-box', f'got {value}, {math.hypot(*value):.1f} m/s, expected below ' \
            f'{MAX_SPEED_MPS:g} m/s'


def _check_score(value: Any) -> Iterator[Problem]:
    if type(value) not in (int, float):
        yield ERROR, 'score-type', f'got {value!r}, expected a number in [0, 1]'
    elif not is_finite_number(value):
        yield ERROR, 'not-finite', f'got {value!r}, expected a number in [0, 1]'
    elif not 0 <= value <= 1:
        yield ERROR, 'score-range', f'got {value!r}, expected a number in [0, 1]'
    elif value == 0:
        yield WARNING, 'score-zero', 'got 0: a match with score 0 makes every error of its ' \
            'class 1; leave the box out'


def _check_name(value: Any) -> Iterator[Problem]:
    if not isinstance(value, str) or value not in VALID_ATTRIBUTES:
        yield ERROR, 'unknown-class', f'got {value!r}, expected one of ' \
            f'{", ".join(VALID_ATTRIBUTES)}'


def _check_string(value: Any) -> Iterator[Problem]:
    if not isinstance(value, str):
        yield ERROR, 'string-type', f'got {value!r}, expected a string'


_FIELD_SET = set(RECORD_FIELDS)
_FIELD_RULES: Dict[str, Callable[[Any], Iterator[Problem]]] = {
    'sample_token': _check_string,
    'translation': _check_translation,
    'size': _check_size,
    'rotation': _check_rotation,
    'velocity': _check_velocity,
    'detection_name': _check_name,
    'detection_score': _check_score,
    'attribute_name': _check_string,
}
