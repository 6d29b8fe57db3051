"""What all corruptions share: three severities, and randomness that belongs to a sample.

Severities are MultiCorrupt's (Beemelmanns et al., IV 2024, arXiv 2402.11677). The delta: a draw depends on
the sample's token, the corruption and the part of the sensor, never on the worker, the order or the
severity. Severities then differ in strength alone: what is lost at 1 is lost at 2.
"""
import hashlib
from typing import Sequence, TypeVar

import numpy as np

SEVERITIES = (1, 2, 3)
# The pixel lengths of the published parameters are those of nuScenes' pictures.
PUBLISHED_WIDTH_PX = 1600
WHITE = 255.0
# Sensors that deliver nothing without saying so: the model takes them for present. As MoME's evaluations on
# nuScenes-R (CVPR 2025, arXiv 2503.19776), which at severity 3 lose all; lesser severities lose a part.
DROP_PROB = (0.5, 0.75, 1.0)

Value = TypeVar('Value')


def at(severity: int, values: Sequence[Value]) -> Value:
    """Returns the value of a severity, 1, 2 or 3; ValueError for another."""
    if severity not in SEVERITIES:
        raise ValueError(f'got severity {severity!r}; expected one of {SEVERITIES}')
    return values[severity - 1]


def generator_of(*key: str) -> np.random.Generator:
    """Returns the generator that belongs to a key, such as (token, corruption, camera).

    Args:
        *key: names; the same ones give the same draws on every machine.
    """
    digest = hashlib.sha256('/'.join(key).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], 'big'))


def px_per_published_px(image: np.ndarray) -> float:
    """Returns how long a pixel of the published parameters is in this picture, 0.5 if half as wide."""
    return image.shape[1] / PUBLISHED_WIDTH_PX


def to_uint8(unit: np.ndarray) -> np.ndarray:
    """Returns a picture of values 0 to 1 as bytes; what is outside becomes black or white."""
    return np.rint(np.clip(unit, 0.0, 1.0) * WHITE).astype(np.uint8)
