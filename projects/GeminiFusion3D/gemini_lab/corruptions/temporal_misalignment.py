"""Sensors that are late or stuck: their files are an earlier keyframe's, everything else is not.

As in MultiCorrupt, `temporalmisalignment`: each camera on its own, the LiDAR with its sweeps as one, half a
second late. The delta: a scene's first keyframe has nothing earlier and stays as it is, where the original
takes the last keyframe of another scene.

As in nuScenes-R (see `limited_view`), "Temporal misalignment" of cameras, here `stuckcamera`: half of the
cameras show what they saw some keyframes ago. The delta: how long they have been stuck is fixed, where the
original freezes runs of up to four keyframes, 10 to 90 % of all.
"""
from typing import Any, Dict

import numpy as np

from .strength import at

LATE_PROB = (0.2, 0.4, 0.6)
STUCK_PROB = 0.5
# Half a second, one, two; in a scene that is shorter, since its start.
KEYFRAMES_BACK = (1, 2, 4)
PREVIOUS, SUM = 'previous', 'crc32'


def delay_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with some cameras' files replaced; calibration and poses stay.

    Args:
        results: a record with `images` and `previous`, the record half a second earlier or None.
        severity: 1, 2 or 3.
        rng: one draw a camera.
    """
    return _with_earlier_pictures(results, rng.random(len(results['images'])) < at(severity, LATE_PROB))


def stick_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with half of the cameras' files replaced; calibration and poses stay.

    Args:
        results: a record with `images` and `previous`, of the keyframe at which cameras got stuck, or None.
        severity: 1, 2 or 3, for which the dataset chooses `previous`.
        rng: one draw a camera.
    """
    at(severity, KEYFRAMES_BACK)
    return _with_earlier_pictures(results, rng.random(len(results['images'])) < STUCK_PROB)


def _with_earlier_pictures(results: Dict[str, Any], are_late: np.ndarray) -> Dict[str, Any]:
    previous = results[PREVIOUS]
    if previous is None:
        return results
    images = {name: with_file_of(image, previous['images'][name], 'img_path') if is_late else image
              for is_late, (name, image) in zip(are_late, results['images'].items())}
    return {**results, 'images': images}


def delay_lidar(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with keyframe and sweeps of the LiDAR replaced, or as it is.

    Sweeps are replaced one by one, which takes as many before as now; else only the keyframe is.

    Args:
        results: a record with `lidar_points`, `lidar_sweeps` and `previous`.
        severity: 1, 2 or 3.
        rng: one draw.
    """
    is_late = rng.random() < at(severity, LATE_PROB)
    previous = results[PREVIOUS]
    if not is_late or previous is None:
        return results
    sweeps, earlier = results['lidar_sweeps'], previous['lidar_sweeps']
    if len(sweeps) == len(earlier):
        sweeps = [_with_file_of(own, other) for own, other in zip(sweeps, earlier)]
    return {**_with_file_of(results, previous), 'lidar_sweeps': sweeps}


def _with_file_of(record: Dict[str, Any], other: Dict[str, Any]) -> Dict[str, Any]:
    points = with_file_of(record['lidar_points'], other['lidar_points'], 'lidar_path')
    return {**record, 'lidar_points': points}


def with_file_of(record: Dict[str, Any], other: Dict[str, Any], path: str) -> Dict[str, Any]:
    """Returns a record of one file with another file in its place, and that one's check sum.

    Args:
        record: of a picture or a cloud.
        other: of the other file.
        path: name of the field that holds the path.
    """
    own = {key: value for key, value in record.items() if key != SUM}
    return {**own, path: other[path], **{key: other[key] for key in (SUM,) if key in other}}
