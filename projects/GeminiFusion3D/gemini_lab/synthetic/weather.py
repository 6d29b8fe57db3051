"""Light and weather of a scene, and the words in which nuScenes describes them."""
from typing import NamedTuple, Tuple

import numpy as np

from .seeding import make_rng

RGB = Tuple[float, float, float]


class Weather(NamedTuple):
    """What the weather does to sensors.

    kind: 'day', 'rain' or 'night'; sun: unit vector towards it; light is in image units (1 is
    white); haze_per_m: how fast colours fade into the sky; headlights: brightness of the own ones.
    """

    kind: str
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


def weather_kind(scene_name: str) -> str:
    """Returns the weather of a scene: it belongs to the name, whatever the seed."""
    number = int(scene_name.split('-')[1])
    if number >= 1044 and number % 4 == 2:
        return 'night'
    return 'rain' if number % 7 == 0 else 'day'


def make_weather(seed: int, scene_name: str) -> Weather:
    """Draws the light of a scene."""
    rng = make_rng(seed, scene_name, 'weather')
    elevation, azimuth = rng.uniform(0.6, 1.1), rng.uniform(-np.pi, np.pi)
    sun = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth),
                    np.sin(elevation)])
    kind = weather_kind(scene_name)
    if kind == 'night':
        return Weather(kind, sun, 0.0, 0.28, (0.01, 0.012, 0.03), (0.05, 0.05, 0.08), 0.002, 0.9,
                       0.035, 0.03, 0.0)
    if kind == 'rain':
        return Weather(kind, sun, 0.08, 0.8, (0.5, 0.53, 0.56), (0.66, 0.68, 0.7), 0.008, 0.0,
                       0.015, 0.07, 0.002)
    return Weather(kind, sun, rng.uniform(0.55, 0.7), rng.uniform(0.52, 0.6), (0.25, 0.45, 0.75),
                   (0.72, 0.8, 0.88), 0.002, 0.0, 0.01, 0.03, 0.0)


def describe(scene_name: str, words: Tuple[str, ...]) -> str:
    """Returns a scene description in the manner of nuScenes: weather first, then what is there."""
    prefix = {'night': ('Night',), 'rain': ('Rain',), 'day': ()}[weather_kind(scene_name)]
    text = ', '.join([*prefix, *words])
    return text[:1].upper() + text[1:]
