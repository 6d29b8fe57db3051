"""What corruptions do to a sweep: (N, 5) x, y, z, intensity, ring in the sensor's frame, before it is moved.

"Theirs" is MultiCorrupt's.
"""
from functools import lru_cache
from typing import Tuple

import numpy as np
from jaxtyping import Float, Int

from .strength import DROP_PROB, at

INTENSITY, RING = 3, 4
# x, y, z, intensity, ring: just behind what is removed as too close.
OWN_CAR = np.array([[0.0, -1.5, -1.0, 0.0, 0.0]], dtype=np.float32)

FIRST_BEAM = 1
BEAM_STEP = (2, 4, 8)


def reduce_beams(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                 ) -> Float[np.ndarray, 'm 5']:
    """Returns the points of every second, fourth or eighth of 32 beams. As theirs, `beamsreducing`."""
    return cloud[cloud[:, RING] % at(severity, BEAM_STEP) == FIRST_BEAM]


KEPT = (0.3, 0.2, 0.1)


def reduce_points(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                  ) -> Float[np.ndarray, 'm 5']:
    """Returns 30, 20 or 10 % of the points, in their order. As theirs, `pointsreducing`."""
    kept = rng.permutation(len(cloud))[:round(len(cloud) * at(severity, KEPT))]
    return cloud[np.sort(kept)]


SHIFT_STD_M = (0.06, 0.1, 0.13)
# Of x, y and z, as shares of the shift's standard deviation.
JITTER_SHARES = (0.15, 0.2, 0.12)
MAX_JITTER_STDS = 3.0


def shake_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                ) -> Float[np.ndarray, 'n 5']:
    """Returns the sweep shifted as a whole, with each point jittering. As theirs, `motionblur` of LiDAR."""
    std_m = at(severity, SHIFT_STD_M)
    shift_m = rng.standard_normal(3) * std_m
    jitter_m = rng.standard_normal((len(cloud), 3)) * np.multiply(JITTER_SHARES, std_m)
    limit_m = MAX_JITTER_STDS * std_m
    moved = cloud.copy()
    moved[:, :3] += shift_m + np.clip(jitter_m, -limit_m, limit_m)
    return moved


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


def fog_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
              ) -> Float[np.ndarray, 'n 5']:
    """Returns the sweep in fog: returns fade, and where the fog's own echo is stronger, it is what is seen.

    No point is lost. The simulation of Hahner et al. (ICCV 2021, "Fog simulation on real LiDAR point clouds")
    with MultiCorrupt's parameters, `fog` of LiDAR. The deltas: the fog's response is integrated when it is
    first needed instead of read from a table, and noise moves a fog return to at most twice its range, where
    the original throws some behind the sensor.
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


# Snowfall in mm of water per hour, and how fast the flakes fall.
SNOWFALL_MM_PER_H = (0.5, 2.5, 1.5)
FALL_MPS = (1.2, 1.6, 0.4)
WATER_PER_SNOW_DENSITY = 10.0
MM_PER_H_IN_MPS = 3.6e6
FLAKE_DIAMETER_M = 0.003
BEAM_DIVERGENCE_RAD = 0.003
# Flakes nearer are not seen: emitted and received beam do not overlap yet.
NEAREST_M = 1.0


def snow_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns the sweep in falling snow: some points are flakes, some are lost, the others are fainter.

    MultiCorrupt, `snow` of LiDAR, runs the simulation of Hahner et al. (CVPR 2022), which traces each beam
    through sampled flakes and needs their files and a semantic label of each point. The delta: the same
    snowfall rates and fall speeds, but flakes of one size in a closed form, drawn per point, and no wet
    ground. Our snow and theirs are alike in kind, not in numbers.
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


MOVED_PROB = (0.2, 0.4, 0.6)
TURN_DEG = (1.0, 2.0, 3.0)
SHIFT_M = (2.0, 0.0, 0.0)


def misplace_cloud(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
                   ) -> Float[np.ndarray, 'n 5']:
    """Returns the sweep 2 m off and turned about all three axes with the severity's probability.

    As theirs, `spatialmisalignment`: calibration and ground truth stay, so that the extrinsics which the
    model uses are wrong for these sweeps.
    """
    if rng.random() >= at(severity, MOVED_PROB):
        return cloud
    moved = cloud.copy()
    moved[:, :3] = cloud[:, :3] @ turn(at(severity, TURN_DEG)).T + SHIFT_M
    return moved


def turn(angle_deg: float) -> Float[np.ndarray, '3 3']:
    """Returns the rotation by -angle about z, then y, then x."""
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    about_x = np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    about_y = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    about_z = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    return about_x @ about_y @ about_z


HALF_VIEW_DEG = (120.0, 90.0, 60.0)


def limit_view(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns the points whose azimuth is within +-120, +-90 or +-60 degrees of straight ahead, the y axis.

    As in nuScenes-R, "Limited LiDAR FOV", which has +-90 and +-60 degrees; the delta: each sweep is cut in
    its own frame.
    """
    azimuth_deg = np.rad2deg(np.arctan2(cloud[:, 0], cloud[:, 1]))
    return cloud[np.abs(azimuth_deg) <= at(severity, HALF_VIEW_DEG)]


def drop_sweep(cloud: Float[np.ndarray, 'n 5'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 5']:
    """Returns a single return, of the car itself, with the severity's probability; empty sweeps stay so.

    "LiDAR Drop" of MoME, see `DROP_PROB`. The delta: a model of this project takes an empty cloud for an
    absent LiDAR, and would be told.
    """
    is_lost = rng.random() < at(severity, DROP_PROB)
    return OWN_CAR.astype(cloud.dtype) if is_lost and len(cloud) else cloud


def drop_radar(rows: Float[np.ndarray, 'n 18'], severity: int, rng: np.random.Generator
               ) -> Float[np.ndarray, 'm 18']:
    """Returns none of a shot's returns, RADAR_FIELDS in the radar's frame, with the severity's probability.

    Ours: a radar without returns is nothing unusual; without any return all radars are absent.
    """
    return rows[:0] if rng.random() < at(severity, DROP_PROB) else rows
