"""How the ego vehicle drives: in its lane, round corners, with changing speed, roll, pitch."""
from typing import List, NamedTuple

import numpy as np
from pyquaternion import Quaternion

from geminifusion3d.geometry.frames import pose

from .city import LANE_OFFSET_M, City
from .seeding import make_rng

# Every scene's drive is planned for nuScenes' 20 s; a shorter dataset shows its beginning.
DURATION_S = 21.0
_LEAD_S = 0.5
_TICK_S = 0.01
_STEP_M = 0.05
_CORNER_M = 9.0


class EgoDrive(NamedTuple):
    """Tables of time (t,), position (t, 2) in the global frame, yaw (t,), roll and pitch (t,)."""

    time_s: np.ndarray
    xy_m: np.ndarray
    yaw: np.ndarray
    roll: np.ndarray
    pitch: np.ndarray

    def xy_at(self, time_s: float) -> np.ndarray:
        """Returns the position (2,) at a time after the scene's start."""
        return np.array([np.interp(time_s, self.time_s, self.xy_m[:, axis]) for axis in (0, 1)])

    def rotation_at(self, time_s: float) -> Quaternion:
        """Returns the attitude as a unit quaternion."""
        yaw, roll, pitch = (float(np.interp(time_s, self.time_s, table))
                            for table in (self.yaw, self.roll, self.pitch))
        return (Quaternion(axis=[0, 0, 1], radians=yaw) * Quaternion(axis=[0, 1, 0], radians=pitch)
                * Quaternion(axis=[1, 0, 0], radians=roll)).normalised

    def global_from_ego(self, time_s: float) -> np.ndarray:
        """Returns the pose (4, 4) at a time; the ego origin stays on the ground."""
        return pose(list(self.rotation_at(time_s)), [*self.xy_at(time_s), 0.0])

    def velocity_at(self, time_s: float) -> np.ndarray:
        """Returns the velocity (2,) in m/s in the global frame."""
        return (self.xy_at(time_s + 0.02) - self.xy_at(time_s - 0.02)) / 0.04


def _choose_corners(city: City, rng: np.random.Generator) -> np.ndarray:
    """Returns the polyline (n, 2) of a lane through four crossings, with a turn at the first."""
    column, row = (int(value) for value in rng.integers(3, 5, 2))
    heading = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)][int(rng.integers(4))])
    right = np.array([heading[1], -heading[0]])
    crossing = np.array([city.x_m[column], city.y_m[row]])
    corners: List[np.ndarray] = [crossing + LANE_OFFSET_M * right - heading * rng.uniform(22, 45)]
    for turn_number in range(2):
        turn = rng.choice([-1, 1]) if turn_number == 0 or rng.random() < 0.5 else 0
        if turn:
            next_heading = turn * right
            next_right = np.array([next_heading[1], -next_heading[0]])
            corners.append(crossing + LANE_OFFSET_M * (right + next_right))
            heading, right = next_heading, next_right
        column, row = column + heading[0], row + heading[1]
        crossing = np.array([city.x_m[column], city.y_m[row]])
    corners.append(crossing + LANE_OFFSET_M * right + heading * 130.0)
    return np.array(corners)


def _smooth_path(corners_m: np.ndarray) -> np.ndarray:
    """Resamples a polyline every 5 cm and rounds its corners; curvature is continuous."""
    pieces = [np.linspace(start, end, max(int(np.linalg.norm(end - start) / _STEP_M), 1),
                          endpoint=False) for start, end in zip(corners_m, corners_m[1:])]
    points = np.concatenate(pieces)
    width = int(_CORNER_M / _STEP_M) | 1
    kernel = np.ones(width) / width
    for _ in range(2):
        padded = np.pad(points, ((width // 2, width // 2), (0, 0)), mode='reflect', reflect_type='odd')
        points = np.stack([np.convolve(padded[:, axis], kernel, 'valid') for axis in (0, 1)], 1)
    return points


def plan_drive(seed: int, scene_name: str, city: City) -> EgoDrive:
    """Plans the drive of one scene."""
    rng = make_rng(seed, scene_name, 'ego')
    path = _smooth_path(_choose_corners(city, rng))
    time_s = np.arange(-_LEAD_S, DURATION_S, _TICK_S)
    cruise = rng.uniform(5.5, 8.0)
    period_s, phase = rng.uniform(7, 12), rng.uniform(0, 6)
    speed = cruise * (1 + 0.2 * np.sin(2 * np.pi * time_s / period_s + phase))
    if rng.random() < 0.25:
        speed = speed * np.clip((time_s - 1.0) / 3.0, 0, 1)
    travelled = np.concatenate([[0.0], np.cumsum(speed[:-1] * _TICK_S)])
    arc_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    tangent = np.gradient(path, axis=0)
    yaw_on_path = np.unwrap(np.arctan2(tangent[:, 1], tangent[:, 0]))
    xy_m = np.stack([np.interp(travelled, arc_m, path[:, axis]) for axis in (0, 1)], 1)
    yaw = np.interp(travelled, arc_m, yaw_on_path)
    lean = np.gradient(yaw, time_s) * speed
    sway = rng.uniform(0, 2 * np.pi, 2)
    roll = 0.003 * lean + 0.007 * np.sin(2 * np.pi * 0.5 * time_s + sway[0])
    pitch = (-0.004 * np.gradient(speed, time_s) + 0.006 * np.sin(2 * np.pi * 0.7 * time_s + sway[1]))
    return EgoDrive(time_s, xy_m, yaw, roll, pitch)
