"""Where objects can be: nothing overlaps anything else, or the ego vehicle, at any time."""
from typing import List, NamedTuple, Optional

import numpy as np

from .city import City, Place
from .ego import DURATION_S, EgoDrive

_TIMES_S = np.arange(0.0, DURATION_S, 0.25)
_DISCS = 4
_EGO_SIZE_M = (5.0, 2.4)
_EGO_CENTER_M = 1.4


class Actor(NamedTuple):
    """One object of a scene; `category` is '' for what nobody annotates.

    size_m: (length, width, height); xy_m: position at the scene's start; velocity_mps: (2,), it
    moves on straight; z_m: height of its foot; colors: (7, 3) by slot, see meshes.
    """

    name: str
    category: str
    shape: str
    size_m: np.ndarray
    xy_m: np.ndarray
    yaw: float
    velocity_mps: np.ndarray
    colors: np.ndarray
    reflectivity: float
    attribute: str = ''
    z_m: float = 0.0


def _discs_over_time(track_xy_m: np.ndarray, yaw: np.ndarray, length: float, width: float) -> np.ndarray:
    """Covers a moving rectangle by discs: track (t, 2), yaw (t,) -> centres (t, discs, 2)."""
    reach = max(length - width, 0.0) / 2
    offsets = np.linspace(-reach, reach, _DISCS)
    direction = np.stack([np.cos(yaw), np.sin(yaw)], -1)
    return track_xy_m[:, None] + offsets[:, None] * direction[:, None]


class Occupancy:
    """The space that objects take over the whole scene, as discs at every quarter second."""

    def __init__(self, drive: EgoDrive) -> None:
        self._discs: List[np.ndarray] = []
        self._radius_m: List[float] = []
        self._tracks: List[np.ndarray] = []
        self._reach_m: List[float] = []
        yaw = np.interp(_TIMES_S, drive.time_s, drive.yaw)
        track = np.stack([drive.xy_at(time_s) for time_s in _TIMES_S])
        track = track + _EGO_CENTER_M * np.stack([np.cos(yaw), np.sin(yaw)], -1)
        self._add(track, yaw, _EGO_SIZE_M[0], _EGO_SIZE_M[1] + 0.8)

    def _add(self, track: np.ndarray, yaw: np.ndarray, length: float, width: float) -> None:
        length, width = max(length, width), min(length, width)
        self._discs.append(_discs_over_time(track, yaw, length, width))
        self._radius_m.append(0.6 * width)
        self._tracks.append(track)
        self._reach_m.append(length / 2 + 0.3)

    def try_add(self, xy_m: np.ndarray, yaw: float, velocity_mps: np.ndarray, size_m: np.ndarray) -> bool:
        """Takes the space of an object if it is free at all times; tells whether it was."""
        length, width = float(size_m[0]), float(size_m[1])
        if width > length:
            length, width, yaw = width, length, yaw + np.pi / 2
        track = xy_m + _TIMES_S[:, None] * velocity_mps
        yaws = np.full(len(_TIMES_S), yaw)
        gap = np.linalg.norm(np.stack(self._tracks) - track, axis=2).min(1)
        near = np.flatnonzero(gap < np.array(self._reach_m) + length / 2 + 0.3)
        discs = _discs_over_time(track, yaws, length, width)
        for index in near:
            distance = np.linalg.norm(self._discs[index][:, :, None] - discs[:, None], axis=-1)
            if distance.min() < self._radius_m[index] + 0.6 * width + 0.1:
                return False
        self._add(track, yaws, length, width)
        return True


def draw_place(city: City, drive: EgoDrive, rng: np.random.Generator, zone: str, reach_m: float,
               latest_s: float = DURATION_S - 1) -> 'tuple[Optional[Place], float]':
    """Draws a place of a zone that the ego passes within `reach_m`, and when it is nearest.

    Distances to the ego are drawn evenly, so that near objects are as frequent as far ones.
    """
    time_s = float(rng.uniform(0, latest_s))
    angle, range_m = rng.uniform(-np.pi, np.pi), rng.uniform(3.5, reach_m)
    ego_xy_m = drive.xy_at(time_s)
    wanted = ego_xy_m + range_m * np.array([np.cos(angle), np.sin(angle)])
    place = city.snap(zone, wanted, rng)
    if place is None or np.linalg.norm(place.xy_m - ego_xy_m) > reach_m:
        return None, time_s
    return place, time_s
