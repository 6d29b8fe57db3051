"""What calibrations of cameras and radars say against their names and against how cars are built.

`left` looks left, `CAM_BACK` looks back, a camera stands upright and sees what the LiDAR sees.
"""
import re
from typing import Any, Dict, Iterator, Mapping, NamedTuple, Optional, Tuple

import numpy as np

# Counterclockwise from ahead, seen from above.
_AHEAD = {'front': 0.0, 'forward': 0.0, 'back': 180.0, 'rear': 180.0, 'backward': 180.0}
_SIDE = {'left': 90.0, 'right': -90.0}
# nuScenes' CAM_BACK_LEFT looks to 108 degrees, the middle of its sector is 135.
FARTHEST_OFF_DEG = 50.0
# Its RADAR_FRONT_LEFT looks to 90.
FARTHEST_RADAR_DEG = 80.0
# Cameras called left and right that look the same way are a stereo pair.
STEREO_DEG = 30.0
# Cosine of the angle between a camera's up and the LiDAR's; below it lies on its side, or worse.
LEAST_UPRIGHT = 0.5
# Where the principal point lies, as a share of the width: else the picture is another one's, or cropped.
CENTRAL = (0.3, 0.7)
NEAREST_M = 0.5


class Odd(NamedTuple):
    """What is allowed but hardly meant.

    Attributes:
        what: the kind, in words.
        where: the camera, with its numbers.
    """

    what: str
    where: str


def odd_cameras(images: Mapping[str, Mapping[str, Any]], ego_from_lidar: Any = None) -> Iterator[Odd]:
    """Yields what is hardly meant in the calibrations of a sample's cameras.

    Args:
        images: by camera `lidar2cam` (4x4).
        ego_from_lidar: 4x4; None where nobody knows.
    """
    axes = {name: np.array(image['lidar2cam'], float) for name, image in images.items()}
    for name, cam_from_lidar in axes.items():
        if -cam_from_lidar[1, 2] < LEAST_UPRIGHT:
            yield Odd("cameras that do not stand upright: lidar2cam turns the LiDAR's z away from up in the "
                      'picture (x right, y down, z ahead)', name)
    yield from odd_axes('camera', {name: matrix[2, :3] for name, matrix in axes.items()}, ego_from_lidar)


def odd_radars(radars: Mapping[str, Any], ego_from_lidar: Any = None) -> Iterator[Odd]:
    """Yields radars that look elsewhere than their names say.

    Args:
        radars: by radar its clouds, each with `lidar_from_radar` (4x4).
        ego_from_lidar: 4x4; None where nobody knows.
    """
    yield from odd_axes('radar', {name: np.array(shots[0]['lidar_from_radar'], float)[:3, 0]
                                  for name, shots in radars.items() if shots}, ego_from_lidar)


def odd_axes(kind: str, axes: Mapping[str, np.ndarray], ego_from_lidar: Any) -> Iterator[Odd]:
    """Yields sensors whose axis, in LiDAR coordinates, is not where their names say.

    Args:
        kind: camera or radar.
        axes: by sensor the direction (3,) that it looks in.
        ego_from_lidar: 4x4; None where nobody knows.
    """
    turn = np.eye(3) if ego_from_lidar is None else np.array(ego_from_lidar, float)[:3, :3]
    headings = {name: float(np.degrees(np.arctan2(*(turn @ axis)[1::-1]))) for name, axis in axes.items()}
    for name, (heading, expected) in odd_headings(
            headings, None if ego_from_lidar is None else 0.0,
            FARTHEST_RADAR_DEG if kind == 'radar' else FARTHEST_OFF_DEG).items():
        yield Odd(f'{kind}s that look elsewhere than their names say (degrees to the left of ahead, which is '
                  'x' + (' of the car' if ego_from_lidar is not None else ' or another axis of the LiDAR')
                  + '): two that changed places, or one turned?',
                  f'{name} looks to {heading:.0f}, expected about {expected:.0f}')


def odd_intrinsics(name: str, cam2img: Any, width: int) -> Iterator[Odd]:
    """Yields whether a camera's optical axis is far from the middle of its picture.

    Args:
        name: of the camera.
        cam2img: 3x3, or 4x4.
        width: of the picture that it belongs to, in pixels.
    """
    if not CENTRAL[0] < (cam2img[0][2] + 0.5) / width < CENTRAL[1]:
        yield Odd('pictures with the optical axis far from their middle: is cam2img that of this camera and '
                  'of this size?', f'{name}, {cam2img[0][2]:.0f} of {width} pixels')


def sees(points_m: np.ndarray, cam2img: Any, lidar2cam: Any, hw: Tuple[int, int]) -> bool:
    """Says whether a camera sees one of the points at least.

    Args:
        points_m: (N, 3), LiDAR coordinates.
        cam2img: 3x3.
        lidar2cam: 4x4.
        hw: height and width of the picture that cam2img belongs to.
    """
    cam_from_lidar = np.array(lidar2cam, float)
    in_cam = points_m @ cam_from_lidar[:3, :3].T + cam_from_lidar[:3, 3]
    in_cam = in_cam[in_cam[:, 2] > NEAREST_M]
    pixels = in_cam @ np.array(cam2img, float)[:3, :3].T
    u, v = pixels[:, 0] / pixels[:, 2], pixels[:, 1] / pixels[:, 2]
    return bool(((u >= 0) & (u < hw[1]) & (v >= 0) & (v < hw[0])).any())


def odd_headings(headings_deg: Mapping[str, float], ahead_deg: Optional[float] = None,
                 farthest_deg: float = FARTHEST_OFF_DEG) -> Dict[str, Tuple[float, float]]:
    """Returns cameras that look elsewhere than their names say.

    Args:
        headings_deg: by camera, where its optical axis points in a frame with z up, from x towards y.
        ahead_deg: where ahead is in that frame; None: along one of the axes, the one with which
            most names agree (x, where several do).
        farthest_deg: how far off is odd.

    Returns:
        By camera the heading and what its name says, in degrees to the left of ahead.
    """
    expected = {name: angle for name, angle in ((name, heading_of_name(name)) for name in headings_deg)
                if angle is not None}
    sides = [headings_deg[name] for name in expected if not _words(name) & _AHEAD.keys()]
    if sides and max(abs(_wrapped(side - sides[0])) for side in sides) < STEREO_DEG:
        expected = {name: angle for name, angle in expected.items() if _words(name) & _AHEAD.keys()}

    def off(ahead: float) -> Dict[str, Tuple[float, float]]:
        turned = {name: _wrapped(headings_deg[name] - ahead) for name in expected}
        return {name: (turned[name], expected[name]) for name in expected
                if abs(_wrapped(turned[name] - expected[name])) > farthest_deg}

    axes = (0.0, 90.0, 180.0, -90.0) if ahead_deg is None else (ahead_deg,)
    return min((off(ahead) for ahead in axes), key=len)


def heading_of_name(name: str) -> Optional[float]:
    """Returns the degrees to the left of ahead that a name says, None where it says nothing."""
    words = _words(name)
    ahead, side = ({table[word] for word in words & table.keys()} for table in (_AHEAD, _SIDE))
    if len(ahead) > 1 or len(side) > 1 or not ahead | side:
        return None
    if not ahead or not side:
        return (ahead | side).pop()
    return float(np.sign(side.pop())) * (45.0 if ahead == {0.0} else 135.0)


def _words(name: str) -> 'set[str]':
    return set(re.findall('[a-z]+', re.sub('([a-z])([A-Z])', r'\1 \2', name).lower()))


def _wrapped(angle_deg: float) -> float:
    return (angle_deg + 180.0) % 360.0 - 180.0
