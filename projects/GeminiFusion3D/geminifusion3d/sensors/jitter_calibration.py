"""Calibration that is a little wrong, as noise of a training: a fuser that compares cells learns to bear it.

Mounts bend, times differ and calibrations age; GraphBEV reports that training with such noise keeps accuracy
when the extrinsics are off. Images, points and boxes stay: only what the model is told of cameras changes.
"""
from typing import Any, Dict, Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GeminiJitterCalibration(BaseTransform):
    """Turns and shifts `lidar2cam` at random, by a rigid motion that is drawn anew for every sample.

    Draws from numpy's generator, which the dataset seeds for every sample. Stands anywhere behind the images'
    loader and any cache. Depth labels, or depths that a camera branch reads, then come through the same wrong
    calibration, as they do in a car.

    Args:
        turn_std_deg: standard deviation of the turn about each of three axes.
        shift_std_m: standard deviation of the shift along x, y and z of the LiDAR.
        prob: share of the samples that are changed.
        each_camera: a motion for each camera about its own axes and centre, instead of one of the LiDAR
            against all cameras.

    Raises:
        ValueError: if a deviation is negative or prob is no probability.
    """

    def __init__(self, *, turn_std_deg: float = 0.5, shift_std_m: Sequence[float] = (0.1, 0.1, 0.1),
                 prob: float = 1.0, each_camera: bool = False) -> None:
        if turn_std_deg < 0 or len(shift_std_m) != 3 or min(shift_std_m) < 0 or not 0 <= prob <= 1:
            raise ValueError(f'got turn_std_deg={turn_std_deg}, shift_std_m={shift_std_m}, prob={prob}; '
                             'expected deviations of 0 or more, three of the shift, and 0 <= prob <= 1')
        self.turn_std_deg, self.shift_std_m = turn_std_deg, tuple(shift_std_m)
        self.prob, self.each_camera = prob, each_camera

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Draws and changes the calibration.

        Args:
            results: holds `lidar2cam` (n_cam, 4, 4).

        Raises:
            ValueError: if it holds none.
        """
        if 'lidar2cam' not in results:
            raise ValueError('GeminiJitterCalibration got a sample without lidar2cam; put it behind the '
                             'loader of the images, or leave it out of a recipe without cameras')
        cam_from_lidar = np.asarray(results['lidar2cam'])
        # All draws are made in any case: what follows in the pipeline does not depend on this step's luck.
        is_spared = np.random.uniform() >= self.prob
        motions = np.stack([self._draw() for _ in range(len(cam_from_lidar) if self.each_camera else 1)])
        if is_spared:
            return results
        moved = motions @ cam_from_lidar if self.each_camera else cam_from_lidar @ motions
        return {**results, 'lidar2cam': moved.astype(cam_from_lidar.dtype)}

    def _draw(self) -> np.ndarray:
        """Draws a rigid motion (4, 4)."""
        motion = np.eye(4)
        motion[:3, :3], _ = cv2.Rodrigues(np.deg2rad(np.random.normal(scale=self.turn_std_deg, size=3)))
        motion[:3, 3] = np.random.normal(scale=self.shift_std_m)
        return motion
