"""Light and weather of a scene, and the words in which nuScenes describes them."""
from typing import NamedTuple, Tuple

import numpy as np

from .seeding import make_rng

RGB = Tuple[float, float, float]


class Weather(NamedTuple):
    """What the weather does to sensors.

    sun: unit vector towards it; light is in image units (1 is white); haze_per_m: how fast colours fade into
    the sky; headlights: brightness of the own ones.
    """

    is_night: bool
    sun: np.ndarray
    sun_light: float
    sky_light: float
    zenith: RGB
    horizon: RGB
    haze_per_m: float
    headlights: float
    grain: float
    lidar_loss: float
    rain_returns: float


def is_night(scene_name: str) -> bool:
    """Tells whether a scene is a night scene: it belongs to the name, whatever the seed.

    So do rain and the numbers below: mini_train, mini_val and val have both, and dry days.
    """
    number = _number(scene_name)
    return number >= 900 and number % 4 < 2


def is_rain(scene_name: str) -> bool:
    """Tells whether it rains in a scene."""
    return _number(scene_name) % 7 in (0, 6)


def _number(scene_name: str) -> int:
    return int(scene_name.split('-')[1])


def make_weather(seed: int, scene_name: str) -> Weather:
    """Draws the light of a scene."""
    rng = make_rng(seed, scene_name, 'weather')
    elevation, azimuth = rng.uniform(0.6, 1.1), rng.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                    np.sin(elevation)])
    night, rain = is_night(scene_name), is_rain(scene_name)
    haze_per_m, lidar_loss, rain_returns = (0.008, 0.07, 0.002) if rain else (0.002, 0.03, 0.0)
    if night:
        return Weather(night, sun, 0.0, 0.28, (0.01, 0.012, 0.03), (0.05, 0.05, 0.08), haze_per_m, 0.9, 0.035,
                       lidar_loss, rain_returns)
    if rain:
        return Weather(night, sun, 0.08, 0.8, (0.5, 0.53, 0.56), (0.66, 0.68, 0.7), haze_per_m, 0.0, 0.015,
                       lidar_loss, rain_returns)
    return Weather(night, sun, rng.uniform(0.55, 0.7), rng.uniform(0.52, 0.6), (0.25, 0.45, 0.75),
                   (0.72, 0.8, 0.88), haze_per_m, 0.0, 0.01, lidar_loss, rain_returns)


def describe(scene_name: str, words: Tuple[str, ...]) -> str:
    """Returns a scene description in the manner of nuScenes: weather first, then what is there."""
    prefix = [word for word, holds in (('night', is_night), ('rain', is_rain)) if holds(scene_name)]
    text = ', '.join([*prefix, *words])
    return text[:1].upper() + text[1:]
