"""LiDAR in fog: returns fade, and where the fog's own echo is stronger, the fog is what is seen.

The simulation of Hahner et al. (ICCV 2021, "Fog simulation on real LiDAR point clouds") with MultiCorrupt's
parameters, `fog` of LiDAR. The deltas: the fog's response is integrated when it is first needed instead of
read from a table, and noise moves a fog return to at most twice its range, where the original throws some
behind the sensor.
"""
from functools import lru_cache
from typing import Tuple

import numpy as np
from jaxtyping import Float, Int

from .strength import at

ATTENUATION_PER_M = (0.02, 0.03, 0.06)
BACKSCATTER_PER_SR = (0.008, 0.008, 0.05)
# Differential reflectivity of the target, per steradian.
TARGET_REFLECTIVITY = 1e-6 / np.pi
LIGHT_MPS = 299_792_458.0
HALF_PULSE_S = 2e-8
# Emitted and received beam begin to overlap, and do so wholly, at these ranges.
OVERLAP_M = (0.9, 1.0)
RANGE_STEP_M = 0.1
# Beyond, the strongest echo of the fog no longer depends on how far the target is.
MAX_ECHO_M = 12.0
PULSE_SAMPLES = 801
RANGE_NOISE_M = 10.0
INTENSITY = 3


def fog_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
              ) -> Float[np.ndarray, 'n 5']:
    """Returns the sweep in fog: no point is lost, some become returns of the fog.

    Args:
        cloud: x, y, z, intensity, ring of one sweep in the sensor's frame.
        severity: 1, 2 or 3.
        rng: range of the fog's returns.
    """
    attenuation = at(severity, ATTENUATION_PER_M)
    range_m = np.linalg.norm(cloud[:, :3].astype(np.float64), axis=1)
    target = np.round(np.exp(-2 * attenuation * range_m) * cloud[:, INTENSITY])
    echo_m, response = _echo(attenuation, range_m)
    reflectivity = at(severity, BACKSCATTER_PER_SR) / TARGET_REFLECTIVITY
    echo = response * cloud[:, INTENSITY] * range_m ** 2 * reflectivity
    noisy_m = np.maximum(range_m + rng.uniform(-RANGE_NOISE_M, RANGE_NOISE_M, len(cloud)), range_m / 2)
    is_fog = echo > target
    # Its range over the target's: range_m / noisy_m spreads the fog's returns.
    factor = np.divide(echo_m, noisy_m, out=np.ones(len(cloud)), where=is_fog)
    foggy = cloud.copy()
    foggy[:, :3] *= factor[:, None]
    foggy[:, INTENSITY] = np.where(is_fog, echo, target)
    return foggy


def _echo(attenuation: float, range_m: Float[np.ndarray, ' n']
          ) -> Tuple[Float[np.ndarray, ' n'], Float[np.ndarray, ' n']]:
    """Returns range and response of the strongest echo of the fog before targets at these ranges."""
    echo_m, response = _echo_table(attenuation)
    index: Int[np.ndarray, ' n'] = np.minimum(np.rint(range_m / RANGE_STEP_M), len(echo_m) - 1).astype(int)
    return echo_m[index], response[index]


@lru_cache(maxsize=None)
def _echo_table(attenuation: float) -> Tuple[Float[np.ndarray, ' m'], Float[np.ndarray, ' m']]:
    """Integrates the returned pulse over the fog before a target, for targets 0, 0.1, 0.2 m ... away."""
    time_s = np.linspace(0, 2 * HALF_PULSE_S, PULSE_SAMPLES)
    measured_m = np.arange(round(MAX_ECHO_M / RANGE_STEP_M) + 1) * RANGE_STEP_M
    scattered_m = measured_m[:, None] - LIGHT_MPS * time_s / 2
    overlap = np.clip((scattered_m - OVERLAP_M[0]) / (OVERLAP_M[1] - OVERLAP_M[0]), 0, 1)
    pulse = np.sin(np.pi * time_s / (2 * HALF_PULSE_S)) ** 2
    distance_m = np.maximum(scattered_m, OVERLAP_M[0])
    received = pulse * np.exp(-2 * attenuation * distance_m) / distance_m ** 2 * overlap
    response = np.trapz(received, time_s, axis=1)
    strongest = np.array([response[:index + 1].argmax() for index in range(len(measured_m))])
    return measured_m[strongest], response[strongest]
