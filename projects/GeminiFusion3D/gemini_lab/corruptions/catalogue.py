"""Corruptions by name: what each does to a picture, to a sweep, to a record, to the returns of a radar.

MultiCorrupt's ten under its names, the failures of sensors that nuScenes-R and MoME evaluate, and radars that
fail.
"""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np

from .clouds import (drop_radar, drop_sweep, fog_cloud, limit_view, misplace_cloud, reduce_beams,
                     reduce_points, shake_cloud, snow_cloud)
from .images import blur_image, brighten, darken, drop_view, fog_image, lose_image, snow_image, soil_lens
from .records import KEYFRAMES_BACK, delay_cameras, delay_lidar, disturb_cameras, fail_objects, stick_cameras

# (picture or cloud, severity 1 to 3, generator) -> the same, corrupted.
OnArray = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
OnRecord = Callable[[Dict[str, Any], int, np.random.Generator], Dict[str, Any]]


@dataclass(frozen=True)
class Corruption:
    """What a corruption does; None leaves alone.

    Attributes:
        label: its name in a table.
        image: to each picture, (H, W, 3) uint8 BGR.
        sweep: to each LiDAR file, (N, 5) x, y, z, intensity, ring, in the sensor's frame.
        camera_files: to the record, before the pictures are read.
        lidar_files: to the record, before the points are read.
        points: to the sample, when keyframe and sweeps are one cloud in the keyframe's frame.
        radar: to each radar file, (N, 18) of RADAR_FIELDS, in the radar's frame.
        keyframes_back: at each severity, how old the keyframe is that the dataset hands on as `previous`.
    """

    label: str
    image: Optional[OnArray] = None
    sweep: Optional[OnArray] = None
    camera_files: Optional[OnRecord] = None
    lidar_files: Optional[OnRecord] = None
    points: Optional[OnRecord] = None
    radar: Optional[OnArray] = None
    keyframes_back: Optional[Tuple[int, int, int]] = None

    @property
    def touches_cameras(self) -> bool:
        """Says whether a model that reads cameras notices."""
        return self.image is not None or self.camera_files is not None

    @property
    def touches_lidar(self) -> bool:
        """Says whether a model that reads the LiDAR notices."""
        return any(change is not None for change in (self.sweep, self.lidar_files, self.points))

    @property
    def needs_previous(self) -> bool:
        """Says whether the dataset must hand on a previous keyframe."""
        return self.keyframes_back is not None


# In the order of MultiCorrupt's table.
CORRUPTIONS: Dict[str, Corruption] = {
    'beamsreducing': Corruption('Beams reduced', sweep=reduce_beams),
    'brightness': Corruption('Brightness', image=brighten),
    'dark': Corruption('Darkness', image=darken),
    'fog': Corruption('Fog', image=fog_image, sweep=fog_cloud),
    'missingcamera': Corruption('Missing cameras', image=lose_image),
    'motionblur': Corruption('Motion blur', image=blur_image, sweep=shake_cloud),
    'pointsreducing': Corruption('Points reduced', sweep=reduce_points),
    'snow': Corruption('Snow', image=snow_image, sweep=snow_cloud),
    'spatialmisalignment': Corruption('Spatial misalignment', sweep=misplace_cloud),
    'temporalmisalignment': Corruption('Temporal misalignment', camera_files=delay_cameras,
                                       lidar_files=delay_lidar, keyframes_back=(1, 1, 1)),
}
# Those of nuScenes-R that are none of the ten; its beams and late frames are. Radars: ours.
FAILURES: Dict[str, Corruption] = {
    'limitedfov': Corruption('Limited field of view', sweep=limit_view),
    'objectfailure': Corruption('Object failure', points=fail_objects),
    'dirtylens': Corruption('Dirty lens', image=soil_lens),
    'calibrationnoise': Corruption('Calibration noise', camera_files=disturb_cameras),
    'stuckcamera': Corruption('Stuck cameras', camera_files=stick_cameras, keyframes_back=KEYFRAMES_BACK),
    'lidardrop': Corruption('LiDAR drop', sweep=drop_sweep),
    'viewdrop': Corruption('View drop', image=drop_view),
    'radardrop': Corruption('Radar drop', radar=drop_radar),
}
CATALOGUE: Dict[str, Corruption] = {**CORRUPTIONS, **FAILURES}


def find_corruption(name: str) -> Corruption:
    """Returns a corruption by its name; ValueError if there is none of this name."""
    if name not in CATALOGUE:
        raise ValueError(f'got corruption {name!r}; expected one of {", ".join(CATALOGUE)}')
    return CATALOGUE[name]
