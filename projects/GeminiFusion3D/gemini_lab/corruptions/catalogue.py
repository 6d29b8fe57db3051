"""The ten corruptions by MultiCorrupt's names: what each does to a picture, to a sweep, to a record."""
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional

import numpy as np

from .beams_reducing import reduce_beams
from .brightness import brighten
from .darkness import darken
from .image_fog import fog_image
from .image_motion_blur import blur_image
from .image_snow import snow_image
from .lidar_fog import fog_cloud
from .lidar_motion_blur import shake_cloud
from .lidar_snow import snow_cloud
from .missing_camera import lose_image
from .points_reducing import reduce_points
from .spatial_misalignment import misplace_cloud
from .temporal_misalignment import delay_cameras, delay_lidar

# (picture or cloud, severity, generator) -> the same, corrupted.
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
    """

    label: str
    image: Optional[OnArray] = None
    sweep: Optional[OnArray] = None
    camera_files: Optional[OnRecord] = None
    lidar_files: Optional[OnRecord] = None

    @property
    def touches_cameras(self) -> bool:
        """Says whether a model that reads cameras notices."""
        return self.image is not None or self.camera_files is not None

    @property
    def touches_lidar(self) -> bool:
        """Says whether a model that reads the LiDAR notices."""
        return self.sweep is not None or self.lidar_files is not None

    @property
    def needs_previous(self) -> bool:
        """Says whether the dataset must hand on the previous keyframe."""
        return self.camera_files is not None or self.lidar_files is not None


# In the order of the published table.
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
                                       lidar_files=delay_lidar),
}


def find_corruption(name: str) -> Corruption:
    """Returns a corruption by its name.

    Args:
        name: as in CORRUPTIONS.

    Raises:
        ValueError: if there is none of this name.
    """
    if name not in CORRUPTIONS:
        raise ValueError(f'got corruption {name!r}; expected one of {", ".join(CORRUPTIONS)}')
    return CORRUPTIONS[name]
