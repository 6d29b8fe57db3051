"""LiDAR points whose files are corrupted while they are read: the delta to GeminiLoadPoints.

Each file is changed in its sensor's frame, with its beams still known, before close returns are removed
and sweeps are moved: what MultiCorrupt writes into files. What goes by annotated objects changes the cloud.
"""
from typing import Any, Dict

import numpy as np
from mmdet3d.registry import TRANSFORMS

from geminifusion3d.sensors.load_points import GeminiLoadPoints

from .catalogue import find_corruption
from .strength import at, generator_of


@TRANSFORMS.register_module()
class GeminiLoadCorruptedPoints(GeminiLoadPoints):
    """Loads LiDARPoints from corrupted sweeps.

    Args:
        corruption: a name of the catalogue.
        severity: 1, 2 or 3.
        sweeps_num: as in GeminiLoadPoints.
        remove_close_m: as in GeminiLoadPoints.
        missing: as in GeminiLoadPoints.
    """

    def __init__(self, *, corruption: str, severity: int, sweeps_num: int = 9, remove_close_m: float = 1.0,
                 missing: str = 'error') -> None:
        super().__init__(sweeps_num=sweeps_num, remove_close_m=remove_close_m, missing=missing)
        self.name, self.corruption = corruption, find_corruption(corruption)
        self.severity = at(severity, (1, 2, 3))

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads keyframe and sweeps.

        Args:
            results: as in GeminiLoadPoints, and `token`.
        """
        if self.corruption.lidar_files is not None:
            rng = generator_of(results['token'], self.name, 'lidar')
            results = self.corruption.lidar_files(results, self.severity, rng)
        loaded = super().transform(results)
        if self.corruption.points is None:
            return loaded
        rng = generator_of(results['token'], self.name, 'points')
        return self.corruption.points(loaded, self.severity, rng)

    def read_sweep(self, results: Dict[str, Any], number: int, path: str) -> np.ndarray:
        """Returns one file's points, corrupted by the draws of (token, corruption, number).

        Args:
            results: the record of the keyframe.
            number: 0 for the keyframe, then the sweeps, newest first.
            path: the file.
        """
        cloud = super().read_sweep(results, number, path)
        if self.corruption.sweep is None:
            return cloud
        rng = generator_of(results['token'], self.name, f'lidar {number}')
        return self.corruption.sweep(cloud, self.severity, rng)
