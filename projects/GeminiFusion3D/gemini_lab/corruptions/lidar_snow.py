"""LiDAR in falling snow: flakes near the sensor return the beam, flakes on the way weaken or stop it.

MultiCorrupt, `snow` of LiDAR, runs the simulation of Hahner et al. (CVPR 2022), which traces each beam
through sampled flakes and needs their files and a semantic label of each point. The delta: the same
snowfall rates and fall speeds, but flakes of one size in a closed form, drawn per point, and no wet ground.
Our snow and theirs are alike in kind, not in numbers.
"""
import numpy as np
from jaxtyping import Float

from .strength import at

# Snowfall in mm of water per hour, and how fast the flakes fall.
SNOWFALL_MM_PER_H = (0.5, 2.5, 1.5)
FALL_MPS = (1.2, 1.6, 0.4)
WATER_PER_SNOW_DENSITY = 10.0
MM_PER_H_IN_MPS = 3.6e6
FLAKE_DIAMETER_M = 0.003
BEAM_DIVERGENCE_RAD = 0.003
# Flakes nearer are not seen: emitted and received beam do not overlap yet.
NEAREST_M = 1.0
INTENSITY = 3


def snow_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns the sweep in snow: some points are flakes, some are lost, the others are fainter.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame.
        severity: 1, 2 or 3.
        rng: what becomes of each point.
    """
    seen_draw, lost_draw = rng.random((2, len(cloud)))
    range_m = np.linalg.norm(cloud[:, :3].astype(np.float64), axis=1)
    flake_m = _flake_range_m(seen_draw, flakes_per_m3(severity))
    # A flake covers (diameter / beam width)^2 of a beam and outshines a target of its own reflectivity
    # that much farther away: up to here.
    outshines_m = np.sqrt(range_m * np.minimum(FLAKE_DIAMETER_M / BEAM_DIVERGENCE_RAD, range_m))
    is_flake = flake_m < np.minimum(outshines_m, range_m)
    through = np.exp(-covered_per_m(severity) * range_m)
    snowy = cloud.copy()
    snowy[:, :3] *= np.where(is_flake, flake_m / np.maximum(range_m, NEAREST_M), 1.0)[:, None]
    snowy[:, INTENSITY] = np.round(cloud[:, INTENSITY] * np.where(is_flake, 1.0, through))
    return snowy[is_flake | (lost_draw < through)]


def flakes_per_m3(severity: int) -> float:
    """Returns how many flakes a cubic metre of air holds."""
    snow_share = (WATER_PER_SNOW_DENSITY * at(severity, SNOWFALL_MM_PER_H)
                  / (MM_PER_H_IN_MPS * at(severity, FALL_MPS)))
    return snow_share / (np.pi / 6 * FLAKE_DIAMETER_M ** 3)


def covered_per_m(severity: int) -> float:
    """Returns the share of a beam that flakes cover on one metre."""
    return flakes_per_m3(severity) * np.pi / 4 * FLAKE_DIAMETER_M ** 2


def _flake_range_m(draw: Float[np.ndarray, ' n'], per_m3: float) -> Float[np.ndarray, ' n']:
    """Turns uniform draws into the range of the nearest flake in a beam, a cone from the sensor."""
    expected_flakes = -np.log1p(-draw)
    cone_per_m3 = np.pi / 12 * BEAM_DIVERGENCE_RAD ** 2 * per_m3
    return np.cbrt(expected_flakes / cone_per_m3 + NEAREST_M ** 3)
