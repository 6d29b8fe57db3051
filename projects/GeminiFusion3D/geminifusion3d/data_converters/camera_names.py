"""Which way a camera looks by its name, against its calibration: `left` looks left, `CAM_BACK` looks back."""
import re
from typing import Dict, Mapping, Optional, Tuple

import numpy as np

# Counterclockwise from ahead, seen from above.
_AHEAD = {'front': 0.0, 'forward': 0.0, 'back': 180.0, 'rear': 180.0, 'backward': 180.0}
_SIDE = {'left': 90.0, 'right': -90.0}
# nuScenes' CAM_BACK_LEFT looks to 108 degrees, the middle of its sector is 135.
FARTHEST_OFF_DEG = 50.0
# Cameras called left and right that look the same way are a stereo pair.
STEREO_DEG = 30.0


def odd_headings(headings_deg: Mapping[str, float], ahead_deg: Optional[float] = None
                 ) -> Dict[str, Tuple[float, float]]:
    """Returns cameras that look elsewhere than their names say.

    Args:
        headings_deg: by camera, where its optical axis points in a frame with z up, from x towards y.
        ahead_deg: where ahead is in that frame; None: along one of the axes, the one with which
            most names agree (x, where several do).

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
                if abs(_wrapped(turned[name] - expected[name])) > FARTHEST_OFF_DEG}

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
