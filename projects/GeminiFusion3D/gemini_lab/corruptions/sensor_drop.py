"""Sensors that deliver nothing without saying so: the model takes them for present.

As MoME's evaluations on nuScenes-R (CVPR 2025, arXiv 2503.19776), "View Drop" and "LiDAR Drop", which at
severity 3 lose all. The delta: lesser severities lose a part, and a LiDAR without returns still reports one,
of the car itself: a model of this project takes an empty cloud for an absent LiDAR, and would be told. Radars
are ours: one that fails returns nothing, as often happens anyway; without any return the radars are absent.
"""
import numpy as np
from jaxtyping import Float, UInt8

from .strength import at

LOSS_PROB = (0.5, 0.75, 1.0)
# x, y, z, intensity, ring: just behind what is removed as too close.
OWN_CAR = np.array([[0.0, -1.5, -1.0, 0.0, 0.0]], dtype=np.float32)


def drop_view(image: UInt8[np.ndarray, 'h w 3'], severity: int, rng: np.random.Generator
              ) -> UInt8[np.ndarray, 'h w 3']:
    """Returns a black picture with the severity's probability, else the picture.

    Args:
        image: BGR.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    return np.zeros_like(image) if rng.random() < at(severity, LOSS_PROB) else image


def drop_sweep(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns a single return of the car itself with the severity's probability, else the sweep.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame; one that is empty stays so.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    is_lost = rng.random() < at(severity, LOSS_PROB)
    return OWN_CAR.astype(cloud.dtype) if is_lost and len(cloud) else cloud


def drop_radar(rows: Float[np.ndarray, 'n 18'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 18']:
    """Returns no return with the severity's probability, else those of the shot.

    Args:
        rows: RADAR_FIELDS of one shot, in the radar's frame.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    return rows[:0] if rng.random() < at(severity, LOSS_PROB) else rows
