"""What annotators would write down at a keyframe: boxes, points inside them, visibility."""
from typing import List, NamedTuple

import numpy as np

from .world import Moment, World

_REACH_M = 80.0
_PROBES = 96


class Observation(NamedTuple):
    """One object at one keyframe; center_xyz_m is in the global frame."""

    actor_index: int
    center_xyz_m: np.ndarray
    num_lidar_pts: int
    num_radar_pts: int
    visibility: int


def count_points(world: World, centers_m: np.ndarray, points_m: np.ndarray) -> np.ndarray:
    """Counts points (n, 3), in local coordinates, inside every object's box; (objects,)."""
    counts = np.zeros(len(centers_m), int)
    half_diagonal = np.linalg.norm(world.size_m[:, :2], axis=1) / 2
    by_x = points_m[np.argsort(points_m[:, 0], kind='stable')]
    for index in range(1, len(centers_m)):
        if not world.actors[index - 1].category:
            continue
        low, high = np.searchsorted(by_x[:, 0], centers_m[index, 0]
                                    + half_diagonal[index] * np.array([-1.01, 1.01]))
        near = by_x[low:high]
        _metres, unit = world.to_unit_box(np.full(len(near), index), near, centers_m)
        counts[index] = int((np.abs(unit) <= 0.5).all(1).sum())
    return counts


def visible_share(world: World, moment: Moment, eye_m: np.ndarray, indices: np.ndarray,
                  rng: np.random.Generator) -> np.ndarray:
    """Returns which share (k,) of each object nothing else hides from a point, by rays.

    Rays that miss the object and everything before its far side are not counted.
    """
    unit = rng.uniform(-0.48, 0.48, (len(indices), _PROBES, 3)) * world.size_m[indices][:, None]
    cos, sin = np.cos(world.yaw[indices])[:, None], np.sin(world.yaw[indices])[:, None]
    probes = np.stack([cos * unit[..., 0] - sin * unit[..., 1],
                       sin * unit[..., 0] + cos * unit[..., 1], unit[..., 2]], -1)
    target = (probes + moment.centers_m[indices][:, None]).reshape(-1, 3) - eye_m
    range_m = np.linalg.norm(target, axis=1)
    hits = moment.cast(eye_m, target / range_m[:, None])
    owner = np.repeat(indices, _PROBES)
    is_seen = (hits.is_hit & (hits.object_index == owner)).reshape(len(indices), _PROBES)
    in_front = (hits.range_m < range_m).reshape(len(indices), _PROBES)
    is_hidden = in_front & ~is_seen
    return is_seen.sum(1) / np.maximum((is_seen | is_hidden).sum(1), 1)


def observe(world: World, moment: Moment, local_from_lidar: np.ndarray, lidar_points_m: np.ndarray,
            radar_points_m: np.ndarray, rng: np.random.Generator) -> List[Observation]:
    """Returns the annotated objects of one keyframe; what is hidden altogether nobody can annotate.

    Args:
        world: the scene.
        moment: the scene at the LiDAR keyframe's time.
        local_from_lidar: sensor pose (4, 4) in the world's local frame.
        lidar_points_m: LiDAR points (n, 3) in local coordinates.
        radar_points_m: points (m, 3) of all radars in local coordinates.
        rng: draws the probes for visibility.
    """
    eye_m = local_from_lidar[:3, 3]
    distance = np.linalg.norm(moment.centers_m[:, :2] - eye_m[:2], axis=1)
    lidar = count_points(world, moment.centers_m, lidar_points_m)
    radar = count_points(world, moment.centers_m, radar_points_m)
    is_named = np.array([False] + [bool(actor.category) for actor in world.actors])
    indices = np.flatnonzero(is_named & (distance < _REACH_M))
    shares = visible_share(world, moment, eye_m, indices, rng)
    is_seen = (shares > 0) | (lidar[indices] > 0)
    indices, shares = indices[is_seen], shares[is_seen]
    levels = 1 + np.digitize(shares, [0.4, 0.6, 0.8])
    origin = np.array([*world.origin_xy_m, 0.0])
    return [Observation(int(index) - 1, moment.centers_m[index] + origin, int(lidar[index]),
                        int(radar[index]), int(level)) for index, level in zip(indices, levels)]
