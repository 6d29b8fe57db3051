"""What colour a ray sees: textures, sun with shadows, sky, street light, headlights, haze."""
from typing import NamedTuple

import numpy as np

from . import meshes
from .ground import GroundPaint
from .weather import Weather
from .world import Hits, Moment, World

_WHITE = np.array([0.95, 0.95, 0.95], np.float32)
_BLACK = np.array([0.05, 0.05, 0.05], np.float32)
_GLASS = np.array([0.07, 0.1, 0.14], np.float32)
_LAMP_SPACING_M = 22.0
_LAMP_COLOR = np.array([1.0, 0.85, 0.6], np.float32)


class Look(NamedTuple):
    """All that decides how a scene looks, apart from its geometry."""

    world: World
    ground: GroundPaint
    weather: Weather


def _speckle(points_m: np.ndarray, cell_m: float) -> np.ndarray:
    """Returns a fixed random number in 0..1 for the cell of each point (n, 3)."""
    cell = np.floor(points_m / cell_m).astype(np.int64)
    mixed = cell[:, 0] * 73856093 ^ cell[:, 1] * 19349663 ^ cell[:, 2] * 83492791
    return ((mixed ^ (mixed >> 7)) & 255).astype(np.float32) / 255


def _picture_of_car(unit: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Paints a billboard: a car from the side in front of a sky; unit (n, 3), colors (n, 3)."""
    across, up = np.abs(unit[:, 1]), unit[:, 2]
    body = (across < 0.42) & (up > -0.1) & (up < 0.14)
    cabin = (across < 0.25) & (up >= 0.14) & (up < 0.34)
    wheels = (across - 0.27) ** 2 * 3.3 + (up + 0.1) ** 2 < 0.01
    painted = np.where((up > -0.12)[:, None], colors * [0.75, 0.85, 1.0], colors * 0.5)
    for region, color in ((body, (0.7, 0.72, 0.75)), (cabin, _GLASS), (wheels, _BLACK)):
        painted[region] = color
    return painted


def _textured(texture: int, metres: np.ndarray, unit: np.ndarray, colors: np.ndarray) -> np.ndarray:
    """Returns colours (n, 3) of one texture at points in object axes."""
    if texture == meshes.BARS:
        return np.where((metres[:, 1:2] % 0.6 < 0.3), colors, _WHITE)
    if texture == meshes.RINGS:
        return np.where((np.abs(unit[:, 2:] - 0.08) < 0.09), _WHITE, colors)
    if texture == meshes.HAZARD:
        return np.where((metres.sum(1, keepdims=True) % 1.2 < 0.35), _BLACK, colors)
    if texture == meshes.BAND:
        pane = (np.abs(unit[:, 2] - 0.2) < 0.14) & ((metres[:, 0] + metres[:, 1]) % 1.4 > 0.15)
        return np.where(pane[:, None], _GLASS, colors)
    if texture == meshes.WINDOWS:
        aside, up = (metres[:, 0] + metres[:, 1]) % 3.0, metres[:, 2] % 3.0
        pane = (np.abs(aside - 1.5) < 0.7) & (np.abs(up - 1.6) < 0.7) & (np.abs(unit[:, 2]) < 0.49)
        return np.where(pane[:, None], _GLASS * 1.8, colors)
    if texture == meshes.PICTURE:
        return _picture_of_car(unit, colors)
    if texture == meshes.FOLIAGE:
        return colors * (0.6 + 0.7 * _speckle(metres, 0.15))[:, None]
    raise ValueError(f'texture {texture} is unknown: expected one of the codes in meshes')


def _surface_colors(look: Look, moment: Moment, hits: Hits, points_m: np.ndarray) -> np.ndarray:
    colors = look.world.face_color[hits.face]
    textures = look.world.face_texture[hits.face]
    textures[~hits.is_hit] = meshes.PLAIN
    for texture in np.unique(textures[textures != meshes.PLAIN]):
        rays = np.flatnonzero(textures == texture)
        if texture == meshes.GROUND:
            colors[rays] = look.ground.colors_at(points_m[rays, :2])
            continue
        metres, unit = look.world.to_unit_box(hits.object_index[rays], points_m[rays], moment.centers_m)
        colors[rays] = _textured(int(texture), metres, unit, colors[rays])
    return colors


def _night_light(points_m: np.ndarray, range_m: np.ndarray, ahead: np.ndarray, headlights: float
                 ) -> np.ndarray:
    """Returns extra light (n, 3): pools under street lamps and the car's own headlights."""
    pools = (0.5 + 0.5 * np.cos(points_m[:, :2] * (2 * np.pi / _LAMP_SPACING_M))).prod(1)
    beam = headlights * (ahead.clip(0, 1) ** 4) / (1 + (range_m / 22) ** 2)
    return (0.45 * pools)[:, None] * _LAMP_COLOR + beam[:, None]


def _sky(directions: np.ndarray, weather: Weather) -> np.ndarray:
    height = np.sqrt(directions[:, 2:].clip(0, 1))
    return (np.array(weather.horizon, np.float32) * (1 - height)
            + np.array(weather.zenith, np.float32) * height)


def shade(look: Look, moment: Moment, origin_m: np.ndarray, directions: np.ndarray,
          heading: np.ndarray) -> np.ndarray:
    """Returns what rays see, (n, 3) float32 RGB in 0..1.

    Args:
        look: materials, ground and weather.
        moment: the scene at the image's time.
        origin_m: the camera's position (3,) in local coordinates.
        directions: unit vectors (n, 3).
        heading: the car's forward direction (3,), where its headlights point.
    """
    weather = look.weather
    hits = moment.cast(origin_m, directions)
    range_m = np.minimum(hits.range_m, 500)
    points_m = (origin_m + directions * range_m[:, None]).astype(np.float32)
    light = weather.sky_light * (0.75 + 0.25 * hits.normal[:, 2])
    if weather.sun_light > 0:
        towards = weather.sun.astype(np.float32)
        facing = (hits.normal @ towards).clip(0, 1)
        asked = np.flatnonzero(hits.is_hit & (facing > 0))
        is_lit = np.zeros(len(facing), bool)
        is_lit[asked] = moment.is_lit(points_m[asked] + 0.02 * hits.normal[asked], towards)
        light = light + weather.sun_light * facing * is_lit
    light = np.repeat(light[:, None], 3, 1)
    if weather.is_night:
        light += _night_light(points_m, range_m, directions @ heading, weather.headlights)
    colors = _surface_colors(look, moment, hits, points_m) * light
    fade = np.exp(-weather.haze_per_m * range_m)[:, None]
    colors = colors * fade + np.array(weather.horizon, np.float32) * (1 - fade)
    is_sky = ~hits.is_hit
    colors[is_sky] = _sky(directions[is_sky], weather)
    return colors.astype(np.float32)
