"""Sensors by name: which input of a sample belongs to which, and in which order their maps meet.

A sensor is `camera`, or one that gives a cloud: `lidar`, `radar`, or any name that a user's loader knows.
"""
from typing import Iterable, List, Mapping

from .errors import UserError

CAMERA, LIDAR, RADAR = 'camera', 'lidar', 'radar'
# The order of a fuser's maps; sensors of other names follow in theirs.
ORDER = (CAMERA, LIDAR, RADAR)


def in_order(names: Iterable[str]) -> List[str]:
    """Returns names in the order in which a fuser gets their maps."""
    given = list(dict.fromkeys(names))
    return [name for name in ORDER if name in given] + [name for name in given if name not in ORDER]


def points_key(name: str) -> str:
    """Returns where a sensor's cloud stands in a sample and a batch; the LiDAR's has mmdet3d's name."""
    return 'points' if name == LIDAR else f'{name}_points'


def use_flag(name: str) -> str:
    """Returns what a submission's meta and a dataset's `modality` call the use of a sensor."""
    return f'use_{name}'


def check_declaration(meta: Mapping[str, bool], modalities: Mapping[str, bool]) -> None:
    """Refuses a declaration that differs from the sensors which a model reads, naming both.

    Args:
        meta: of a submission.
        modalities: of the detector.
    """
    declared = {flag: meta.get(flag, False) for flag in modalities}
    if dict(modalities) != declared:
        raise UserError(f'the config declares modality {declared}, the model reads {dict(modalities)}; '
                        'correct modality in the config')
