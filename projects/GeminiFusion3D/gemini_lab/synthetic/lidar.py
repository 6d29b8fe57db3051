"""The 32-beam LiDAR on the roof: one sweep as nuScenes stores it.

A sweep is 1084 columns of 32 beams, written column by column, ring 0 lowest. Every firing has a
row: one without a return lies at the sensor's centre with intensity 0, as in the real files.
Returns from the car's own roof lie within a metre, which readers drop.
"""
from typing import Optional, Tuple

import numpy as np

from .weather import Weather
from .world import Moment, World

RINGS = 32
COLUMNS = 1084
_ELEVATION_DEG = (-30.67, 10.67)
_MAX_RANGE_M = 100.0
_RANGE_SIGMA_M = 0.015
# The roof around the sensor in the ego frame: x from, x to, |y| up to, z; fitted to real sweeps.
_ROOF_M = (0.09, 1.6, 0.53, 1.5)
# Panes let light through; what they return is rarely seen.
_GLASS_LOSS = 0.7
# Losses grow with the square of the range in these metres, and where little light comes back.
_LOSS_RANGE_M, _LOSS_STRENGTH = 60.0, 0.05
# Of one surface: speckle, dirt, small slopes; standard deviation of the logarithm.
_INTENSITY_SPREAD = 0.5


def beam_directions(elevation_deg: Tuple[float, float], rings: int, columns: int) -> np.ndarray:
    """Returns unit directions (columns * rings, 3), z up, the first column along -y, then towards -x."""
    elevation = np.deg2rad(np.linspace(*elevation_deg, rings))
    azimuth = -2 * np.pi * np.arange(columns) / columns
    flat = np.stack([np.sin(azimuth), -np.cos(azimuth)], 1)
    directions = np.empty((columns, rings, 3))
    directions[..., :2] = flat[:, None] * np.cos(elevation)[None, :, None]
    directions[..., 2] = np.sin(elevation)
    return directions.reshape(-1, 3)


# In sensor axes: x right, y ahead, z up.
BEAMS = beam_directions(_ELEVATION_DEG, RINGS, COLUMNS)


def _roof_range(ego_from_lidar: np.ndarray, beams: np.ndarray) -> np.ndarray:
    """Returns the range (n,) at which beams meet the car's own roof, infinite elsewhere."""
    x_from, x_to, half_width, height = _ROOF_M
    direction = beams @ ego_from_lidar[:3, :3].T
    mount = ego_from_lidar[:3, 3]
    with np.errstate(divide='ignore'):
        range_m = (height - mount[2]) / direction[:, 2]
    spot = mount + np.where(np.isfinite(range_m), range_m, 0)[:, None] * direction
    meets = ((range_m > 0) & (spot[:, 0] > x_from) & (spot[:, 0] < x_to) & (np.abs(spot[:, 1]) < half_width))
    return np.where(meets, range_m, np.inf)


def scan(world: World, moment: Moment, local_from_lidar: np.ndarray,
         ego_from_lidar: Optional[np.ndarray], weather: Weather, rng: np.random.Generator,
         beams: np.ndarray = BEAMS, rings: int = RINGS) -> np.ndarray:
    """Returns one sweep, (34688, 5) of BEAMS, float32: x, y, z in the sensor frame, intensity 0..255, ring.

    Args:
        world: the scene's materials.
        moment: the scene at the sweep's time.
        local_from_lidar: sensor pose (4, 4) in the world's local frame.
        ego_from_lidar: sensor pose on the car; None where the car's roof hides nothing.
        weather: rain swallows and invents returns.
        rng: noise of this sweep.
        beams: unit directions (columns * rings, 3) in sensor axes.
        rings: how many of them make a column.
    """
    directions = beams @ local_from_lidar[:3, :3].T
    hits = moment.cast(local_from_lidar[:3, 3], directions)
    count = len(beams)
    noise, luck = rng.standard_normal((2, count), dtype=np.float32), rng.random((2, count))
    cosine = np.abs((hits.normal * directions).sum(1)).clip(0.05, 1)
    strength = world.reflectivity[hits.object_index] * np.sqrt(cosine) * np.exp(_INTENSITY_SPREAD * noise[1])
    range_m = hits.range_m.astype(np.float64)
    # Far, dark and grazing surfaces return too little light.
    loss = weather.lidar_loss + (range_m / _LOSS_RANGE_M) ** 2 * _LOSS_STRENGTH / (strength + 0.02)
    loss = np.maximum(loss, _GLASS_LOSS * world.face_is_glass[hits.face])
    returns = hits.is_hit & (range_m < _MAX_RANGE_M) & (luck[0] > loss)
    # The sensor makes up for the range.
    intensity = 255 * strength
    range_m = range_m + _RANGE_SIGMA_M * noise[0]
    drops = luck[1] < weather.rain_returns
    range_m, intensity = np.where(drops, 1.5 + 80 * luck[0] ** 3, range_m), np.where(drops, 2, intensity)
    returns = (returns | drops) & (range_m < np.where(hits.is_hit, hits.range_m + 0.1, 90))
    roof_m = np.full(count, np.inf) if ego_from_lidar is None else _roof_range(ego_from_lidar, beams)
    on_roof = np.isfinite(roof_m)
    range_m = np.where(on_roof, roof_m, np.where(returns, range_m, 0.0))
    intensity = np.where(on_roof, 15, np.where(returns, intensity.clip(0, 255), 0))
    sweep = np.empty((count, 5), np.float32)
    sweep[:, :3] = beams * range_m[:, None]
    sweep[:, 3] = np.floor(intensity)
    sweep[:, 4] = np.tile(np.arange(rings, dtype=np.float32), count // rings)
    return sweep
