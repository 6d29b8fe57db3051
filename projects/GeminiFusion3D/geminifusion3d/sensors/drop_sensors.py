"""Sensors that deliver nothing: chosen by name for an evaluation, drawn at random for a training.

Of the same purpose as ModalMask3D of CMT and the missing-sensor evaluations of BEVFusion's users; the
delta: every camera fails on its own, the model knows which one did, and never all sensors fail in
training. A missing camera's picture is black, which is what lies outside a rotated or cropped
picture too; the lift leaves it out by `camera_present`. A missing LiDAR is an empty cloud.
"""
from typing import Any, Dict, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS


@TRANSFORMS.register_module()
class GeminiDropSensors(BaseTransform):
    """Silences the named sensors in every sample; stands anywhere between loading and packing.

    Changes `img` and `points`, and sets `camera_present`, (n_cam,) booleans.

    Args:
        cameras: names of the cameras.
        lidar: empty the cloud, sweeps included.
        is_told: tell the model which cameras are missing; False leaves black pictures that it takes
            for real ones, as a test of how much it looks at them.
    """

    def __init__(self, *, cameras: Sequence[str] = (), lidar: bool = False,
                 is_told: bool = True) -> None:
        self.cameras = frozenset(cameras)
        self.lidar = lidar
        self.is_told = is_told

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Silences the sensors.

        Args:
            results: holds `img` and `cam_names`, or `points`, or all of them.

        Raises:
            ValueError: if a sensor to silence has not been loaded.
        """
        absent = sorted(self.cameras - set(results.get('cam_names', ())))
        absent += ['the LiDAR'] if self.lidar and 'points' not in results else []
        if absent:
            raise ValueError(f'cannot drop {", ".join(absent)}: not loaded in this pipeline; put '
                             'GeminiDropSensors behind the loaders and name sensors that they read')
        is_dropped = np.array([name in self.cameras for name in results.get('cam_names', ())], dtype=bool)
        return without(results, is_dropped, lidar=self.lidar, is_told=self.is_told)


@TRANSFORMS.register_module()
class GeminiDropSensorsAtRandom(BaseTransform):
    """Modality dropout: silences sensors at random, never the last one.

    Draws from numpy's generator, which the dataset seeds for every sample: the same for any number
    of loading workers. Of its two rare events, "no LiDAR" and "no camera", at most one happens; each
    camera may fail besides, as long as a sensor is left. Place it behind everything that adds
    points, just before packing.

    Args:
        camera_prob: probability of each camera to fail on its own.
        all_cameras_prob: probability of all cameras to fail at once.
        lidar_prob: probability of the LiDAR to fail.
    """

    def __init__(self, *, camera_prob: float = 0.0, all_cameras_prob: float = 0.0,
                 lidar_prob: float = 0.0) -> None:
        probabilities = (camera_prob, all_cameras_prob, lidar_prob)
        if min(probabilities) < 0 or max(probabilities) > 1 or all_cameras_prob + lidar_prob > 1:
            raise ValueError(f'got camera_prob={camera_prob}, all_cameras_prob={all_cameras_prob}, '
                             f'lidar_prob={lidar_prob}; expected 0 to 1 each and the sum of the last '
                             'two at most 1, since only one of them happens')
        self.camera_prob = camera_prob
        self.all_cameras_prob = all_cameras_prob
        self.lidar_prob = lidar_prob

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Draws and silences.

        Args:
            results: holds `img`, or `points`, or both.
        """
        is_present = cameras_present(results)
        has_lidar = len(results.get('points', ())) > 0
        event, spared = np.random.uniform(size=2)
        is_dropped = np.random.uniform(size=len(is_present)) < self.camera_prob
        drops_lidar = has_lidar and event < self.lidar_prob and is_present.any()
        if self.lidar_prob <= event < self.lidar_prob + self.all_cameras_prob:
            is_dropped = np.ones_like(is_present)
        leaves_nothing = drops_lidar or not has_lidar
        if leaves_nothing and is_present.any() and (is_dropped | ~is_present).all():
            candidates = np.flatnonzero(is_present)
            is_dropped[candidates[int(spared * len(candidates))]] = False
        return without(results, is_dropped, lidar=drops_lidar)


def cameras_present(results: Dict[str, Any]) -> np.ndarray:
    """Returns (n_cam,) booleans; all True where no earlier step knows of a missing camera."""
    return np.asarray(results.get('camera_present', [True] * len(results.get('img', ()))), dtype=bool)


def without(results: Dict[str, Any], is_dropped: np.ndarray, *, lidar: bool,
            is_told: bool = True) -> Dict[str, Any]:
    """Returns the sample without some cameras' pictures and, if asked for, without its points.

    Args:
        results: the sample; left as it is.
        is_dropped: (n_cam,) which cameras.
        lidar: drop the points.
        is_told: record the dropped cameras in `camera_present`.
    """
    results = dict(results)
    if 'img' in results:
        results['img'] = [np.zeros_like(image) if dropped else image
                          for image, dropped in zip(results['img'], is_dropped)]
        is_present = cameras_present(results)
        results['camera_present'] = is_present & ~is_dropped if is_told else is_present
    if lidar:
        points = results['points']
        results['points'] = points.new_point(points.tensor[:0])
    return results
