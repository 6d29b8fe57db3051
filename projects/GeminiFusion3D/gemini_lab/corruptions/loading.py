"""The loading steps of any recipe, corrupted: the transform that a corrupted recipe names and its loaders."""
from typing import Any, Dict, List, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.load_images import GeminiLoadImages
from geminifusion3d.sensors.load_points import GeminiLoadPoints
from geminifusion3d.sensors.load_radar import GeminiLoadRadar

from .catalogue import Corruption, find_corruption
from .records import PREVIOUS
from .strength import at, generator_of


@TRANSFORMS.register_module()
class GeminiLoadCorruptedImages(GeminiLoadImages):
    """Loads the images of all cameras and corrupts each on its own; one that is missing stays black.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        camera_names: as in GeminiLoadImages.
        reduce: as in GeminiLoadImages.
        missing: as in GeminiLoadImages.
    """

    def __init__(self, *, corruption: str, severity: int, camera_names: Sequence[str] = CAMERA_NAMES,
                 reduce: int = 1, missing: str = 'error') -> None:
        super().__init__(camera_names=camera_names, reduce=reduce, missing=missing)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads and corrupts the images with the draws of (`token`, corruption, camera)."""
        token = results['token']
        if self.corruption.camera_files is not None:
            rng = generator_of(token, self.name, 'cameras')
            results = self.corruption.camera_files(results, self.severity, rng)
        loaded = super().transform(results)
        if self.corruption.image is None:
            return loaded
        images = [self.corruption.image(image, self.severity, generator_of(token, self.name, name))
                  if is_present else image
                  for image, name, is_present in zip(loaded['img'], self.camera_names,
                                                     loaded['camera_present'])]
        return {**loaded, 'img': images}


@TRANSFORMS.register_module()
class GeminiLoadCorruptedPoints(GeminiLoadPoints):
    """Loads LiDARPoints from corrupted sweeps: the delta to GeminiLoadPoints.

    Each file is changed in its sensor's frame, with its beams still known, before close returns are removed
    and sweeps are moved: what MultiCorrupt writes into files. What goes by objects changes the cloud.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        sweeps_num: as in GeminiLoadPoints.
        sweep_step: as in GeminiLoadPoints.
        remove_close_m: as in GeminiLoadPoints.
        missing: as in GeminiLoadPoints.
    """

    def __init__(self, *, corruption: str, severity: int, sweeps_num: int = 9, sweep_step: int = 1,
                 remove_close_m: float = 1.0, missing: str = 'error') -> None:
        super().__init__(
            sweeps_num=sweeps_num, sweep_step=sweep_step, remove_close_m=remove_close_m, missing=missing)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads keyframe and sweeps of a record with a `token`."""
        if self.corruption.lidar_files is not None:
            rng = generator_of(results['token'], self.name, 'lidar')
            results = self.corruption.lidar_files(results, self.severity, rng)
        loaded = super().transform(results)
        if self.corruption.points is None:
            return loaded
        rng = generator_of(results['token'], self.name, 'points')
        return self.corruption.points(loaded, self.severity, rng)

    def read_sweep(self, results: Dict[str, Any], number: int, path: str) -> np.ndarray:
        """Returns one file's points, corrupted by the draws of (token, corruption, number)."""
        cloud = super().read_sweep(results, number, path)
        if self.corruption.sweep is None:
            return cloud
        rng = generator_of(results['token'], self.name, f'lidar {number}')
        return self.corruption.sweep(cloud, self.severity, rng)


@TRANSFORMS.register_module()
class GeminiLoadCorruptedRadar(GeminiLoadRadar):
    """Loads the returns of all radars from corrupted files.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        **kwargs: as in GeminiLoadRadar.
    """

    def __init__(self, *, corruption: str, severity: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def read_shot(self, results: Dict[str, Any], channel: str, number: int, shot: Dict[str, Any]
                  ) -> np.ndarray:
        """Returns one file's returns, corrupted by the draws of (token, corruption, channel, number)."""
        rows = super().read_shot(results, channel, number, shot)
        if self.corruption.radar is None:
            return rows
        rng = generator_of(results['token'], self.name, f'{channel} {number}')
        return self.corruption.radar(rows, self.severity, rng)


@TRANSFORMS.register_module()
class GeminiCorruptedLoading(BaseTransform):
    """Runs loading steps with the loaders of pictures, points and radars replaced by their corrupted forms.

    Nothing is copied on disk; the same sample is always corrupted in the same way.

    Args:
        corruption: a name of the catalogue, which are MultiCorrupt's.
        severity: 1, 2 or 3.
        steps: the transforms to run, as configs; others than the loaders stay as they are.
    """

    def __init__(self, *, corruption: str, severity: int, steps: Sequence[Dict[str, Any]]) -> None:
        self.corruption = find_corruption(corruption)
        choice = dict(corruption=corruption, severity=severity)
        self.steps = [TRANSFORMS.build(step) for step in corrupted_steps(steps, self.corruption, choice)]

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads a keyframe.

        Args:
            results: holds `token`, what the steps need and, for late sensors, `previous`.

        Raises:
            ValueError: if the corruption needs an earlier keyframe and the dataset hands on none.
        """
        if self.corruption.needs_previous and PREVIOUS not in results:
            raise ValueError('late sensors need the previous keyframe, which this dataset does not hand on; '
                             "set the dataset's type to GeminiPreviousFrameDataset")
        loaded = dict(results)
        for step in self.steps:
            loaded = step(loaded)
        return loaded


def corrupted_steps(steps: Sequence[Dict[str, Any]], corruption: Corruption, choice: Dict[str, Any]
                    ) -> List[Dict[str, Any]]:
    """Returns the steps with those loaders replaced whose sensor the corruption touches."""
    replaced = {}
    if corruption.touches_cameras:
        replaced['GeminiLoadImages'] = 'GeminiLoadCorruptedImages'
    if corruption.touches_lidar:
        replaced['GeminiLoadPoints'] = 'GeminiLoadCorruptedPoints'
    if corruption.radar is not None:
        replaced['GeminiLoadRadar'] = 'GeminiLoadCorruptedRadar'
    return [{**step, **choice, 'type': replaced[step['type']]} if step['type'] in replaced else dict(step)
            for step in steps]
