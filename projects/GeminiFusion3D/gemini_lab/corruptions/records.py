"""What corruptions do to a record before its files are read, and to a sample whose sweeps are one cloud."""
from typing import Any, Dict

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from geminifusion3d.geometry.boxes import points_in_boxes
from geminifusion3d.sensors.load_points import with_tensor

from .strength import at

LATE_PROB = (0.2, 0.4, 0.6)
STUCK_PROB = 0.5
# Half a second, one, two; in a scene that is shorter, since its start.
KEYFRAMES_BACK = (1, 2, 4)
PREVIOUS, SUM = 'previous', 'crc32'


def delay_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with some cameras' files those of half a second earlier; calibration and poses stay.

    As MultiCorrupt's `temporalmisalignment`, each camera on its own. The delta: a scene's first keyframe has
    nothing earlier and stays as it is, where the original takes the last keyframe of another scene.
    """
    return _with_earlier_pictures(results, rng.random(len(results['images'])) < at(severity, LATE_PROB))


def stick_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with half of the cameras' files replaced; calibration and poses stay.

    As in nuScenes-R, "Temporal misalignment" of cameras: half of them show what they saw some keyframes ago.
    The delta: how long they have been stuck is fixed, where the original freezes runs of up to four
    keyframes, 10 to 90 % of all. `previous`, which the dataset chooses, is where they got stuck.
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
    """Returns the record with keyframe and sweeps of the LiDAR half a second late, or as it is.

    As MultiCorrupt's `temporalmisalignment`. Sweeps are replaced one by one, which takes as many before as
    now; else only the keyframe is.
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
    """Returns a record of one file, named in the field `path`, with another file and its check sum."""
    own = {key: value for key, value in record.items() if key != SUM}
    return {**own, path: other[path], **{key: other[key] for key in (SUM,) if key in other}}


TURN_DEG = (1.0, 3.0, 5.0)
SHIFT_M = (0.01, 0.05, 0.1)


def disturb_cameras(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the record with a wrong `lidar2cam` of every camera; pictures, points and truth stay.

    As in nuScenes-R, "Spatial misalignment": its extrinsics are off by nominally 1 to 5 degrees (its code
    halves them) and 0.5 to 1 cm along each axis, each camera on its own. The delta: strengths are fixed
    instead of drawn, only directions are random, and a camera turns about its own centre, not the car's.
    """
    turn_rad, shift_m = np.deg2rad(at(severity, TURN_DEG)), at(severity, SHIFT_M)
    images = {}
    for name, image in results['images'].items():
        error = pose_error(turn_rad, shift_m, rng)
        known = image.get('lidar2cam')
        images[name] = image if known is None else {**image, 'lidar2cam': error @ np.asarray(known)}
    return {**results, 'images': images}


def pose_error(turn_rad: float, shift_m: float, rng: np.random.Generator) -> Float[np.ndarray, '4 4']:
    """Returns wrong_cam_from_cam: a turn by this angle and a shift of this length, in random directions.

    The axis of the turn goes through the camera's centre.
    """
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.normal(size=(2, 3)))
    error = np.eye(4)
    error[:3, :3] = Rotation.from_rotvec(turn_rad * axis).as_matrix()
    error[:3, 3] = shift_m * direction
    return error


FAILURE_PROB = (0.25, 0.5, 0.75)
# Returns of an object lie on the faces of its box; none may stay for being a little outside.
MARGIN_M = 0.1
TIME_LAG = 4


def fail_objects(results: Dict[str, Any], severity: int, rng: np.random.Generator) -> Dict[str, Any]:
    """Returns the sample without the points of some annotated objects, as black or wet ones return none.

    As in nuScenes-R, "LiDAR Object Failure" with probability 0.5. The delta: each object fails on its own,
    where the original draws once a keyframe and then removes all of them; and an object that moves is gone
    from earlier sweeps too, where the original leaves a trail of it.

    Args:
        results: holds `instances` of the record and `points`, (N, 5) with the seconds before the keyframe.
        severity: 1, 2 or 3.
        rng: one draw an object.

    Raises:
        ValueError: if the record has no annotations.
    """
    if 'instances' not in results:
        raise ValueError('objects fail by their annotations, which this record lacks; take a split that has '
                         'them')
    is_failed = rng.random(len(results['instances'])) < at(severity, FAILURE_PROB)
    failed = [one for one, gone in zip(results['instances'], is_failed) if gone]
    boxes = np.array([one['bbox_3d'] for one in failed], dtype=np.float64).reshape(-1, 7)
    speeds_mps = np.nan_to_num(np.array([one['velocity'] for one in failed], dtype=np.float64).reshape(-1, 2))
    # To bottom centres; the ground below stays.
    boxes[:, 2] -= boxes[:, 5] / 2
    boxes[:, 3:6] += [2 * MARGIN_M, 2 * MARGIN_M, MARGIN_M]
    rows = results['points'].tensor.numpy()
    is_kept = np.ones(len(rows), dtype=bool)
    for lag_s in np.unique(rows[:, TIME_LAG]):
        of_sweep = np.flatnonzero(rows[:, TIME_LAG] == lag_s)
        then = boxes.copy()
        then[:, :2] -= speeds_mps * lag_s
        for inside in points_in_boxes(rows[of_sweep, :3], then):
            is_kept[of_sweep[inside]] = False
    return {**results, 'points': with_tensor(results['points'], torch.from_numpy(rows[is_kept]))}
