"""Whether all boxes of a sample obey every rule, decided for the whole list at once.

The rules themselves, and what is said about a broken one, are in record_rules and content_rules. Here
they are asked all together and a little more strictly, with numpy: a sample that passes has no finding,
one that fails is looked at box by box. Without this, a full test submission takes minutes.
"""
from itertools import chain
from operator import itemgetter
from typing import Any, Optional, Sequence, Tuple

import numpy as np

from ..nuscenes_facts import VALID_ATTRIBUTES
from .record_rules import (MAX_EGO_DISTANCE_M, MAX_SPEED_MPS, MAX_TILT_DEG, QUATERNION_NORM_TOLERANCE, RECORD_FIELDS)

# Rounding differs between numpy and the rules; what is so close to a limit is left to the rules.
_MARGIN = 1e-6
_MAX_NUMBER = 1e300
_VALID_PAIRS = {(name, attribute) for name, attributes in VALID_ATTRIBUTES.items()
                for attribute in attributes}
_fields_of = itemgetter(*RECORD_FIELDS)


def are_sound(records: Sequence[Any], sample_token: str,
              ego_xy_m: Optional[Tuple[float, float]] = None) -> bool:
    """Whether the boxes of a sample certainly break no rule and deserve no warning.

    Their number is not judged here.

    Args:
        records: the list of a sample, as parsed from JSON.
        sample_token: the key under which it stands.
        ego_xy_m: where the ego vehicle was, to check distances too; None without a dataset.
    """
    if not records:
        return True
    try:
        return _all_sound(records, sample_token, ego_xy_m)
    except (TypeError, KeyError, OverflowError):
        return False


def has_no_repeated_key(text: str, records: Sequence[Any], sample_token: str) -> bool:
    """Whether no record of a sample that is sound repeats a key, from the JSON text alone.

    No string of a sound record holds a colon if the token holds none, so colons outnumber the fields
    exactly where a repeated key was dropped by the parser.

    Args:
        text: JSON text of the list.
        records: what it was parsed to.
        sample_token: the key under which it stands.
    """
    return ':' not in sample_token and text.count(':') == len(RECORD_FIELDS) * len(records)


def _all_sound(records: Sequence[Any], sample_token: str, ego_xy_m: Optional[Tuple[float, float]]
               ) -> bool:
    if set(map(type, records)) != {dict} or set(map(len, records)) != {len(RECORD_FIELDS)}:
        return False
    tokens, centers, sizes, rotations, velocities, names, scores, attributes = zip(
        *map(_fields_of, records))
    if set(tokens) != {sample_token} or not _VALID_PAIRS.issuperset(zip(names, attributes)):
        return False
    center_m, size_m, quaternion, velocity_mps = (
        _vectors(centers, 3), _vectors(sizes, 3), _vectors(rotations, 4), _vectors(velocities, 2))
    score = _numbers(scores)
    if any(array is None for array in (center_m, size_m, quaternion, velocity_mps, score)):
        return False
    is_sound = (size_m.min() > 0 and score.min() > 0 and score.max() <= 1
                and _are_upright(quaternion) and _are_within(velocity_mps, MAX_SPEED_MPS))
    if ego_xy_m is not None:
        is_sound = is_sound and _are_within(center_m[:, :2] - ego_xy_m, MAX_EGO_DISTANCE_M)
    has_repeated_place = len(set(zip(names, center_m[:, 0].tolist(), center_m[:, 1].tolist()))
                             ) != len(records)
    return bool(is_sound) and not has_repeated_place


def _vectors(values: Sequence[Any], length: int) -> Optional[np.ndarray]:
    """Returns lists of numbers as (N, length), None where one is something else."""
    if set(map(type, values)) != {list} or set(map(len, values)) != {length}:
        return None
    numbers = _numbers(list(chain.from_iterable(values)))
    return None if numbers is None else numbers.reshape(-1, length)


def _numbers(values: Sequence[Any]) -> Optional[np.ndarray]:
    """Returns JSON numbers that a float can carry, None where one is something else."""
    if not {float, int}.issuperset(map(type, values)):
        return None
    numbers = np.array(values, dtype=np.float64)
    return numbers if np.abs(numbers).max() < _MAX_NUMBER else None


def _are_upright(quaternion: np.ndarray) -> bool:
    """Whether all are unit quaternions that turn about z, or nearly so."""
    norm = np.sqrt((quaternion ** 2).sum(axis=1))
    if np.abs(norm - 1).max() > QUATERNION_NORM_TOLERANCE * (1 - _MARGIN):
        return False
    max_leaning_part = np.sin(np.radians(MAX_TILT_DEG) / 2) * (1 - _MARGIN)
    return bool((np.hypot(quaternion[:, 1], quaternion[:, 2]) <= max_leaning_part * norm).all())


def _are_within(xy: np.ndarray, limit: float) -> bool:
    return bool(np.hypot(xy[:, 0], xy[:, 1]).max() < limit * (1 - _MARGIN))
