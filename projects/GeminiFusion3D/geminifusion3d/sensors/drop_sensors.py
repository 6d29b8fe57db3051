"""Sensors that deliver nothing: chosen by name for an evaluation, drawn at random for a training.

Of the same purpose as ModalMask3D of CMT and the missing-sensor evaluations of BEVFusion's users; the
delta: every camera fails on its own, the model knows which one did, and never all sensors fail in
training. A missing camera's picture is black, which is what lies outside a rotated or cropped
picture too; the lift leaves it out by `camera_present`. A LiDAR or radar that is missing is an empty cloud.
"""
from typing import Any, Collection, Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints

from ..modalities import CAMERA, LIDAR, points_key

SPOKEN = {LIDAR: 'the LiDAR'}


@TRANSFORMS.register_module()
class GeminiDropSensors(BaseTransform):
    """Silences the named sensors in every sample; stands anywhere between loading and packing.

    Changes `img` and clouds, and sets `camera_present`, (n_cam,) booleans.

    Args:
        cameras: names of the cameras.
        clouds: names of sensors whose cloud is emptied, sweeps included, such as 'lidar', 'radar'.
        lidar: the same as 'lidar' among the clouds.
        is_told: tell the model which cameras are missing; False leaves black pictures that it takes
            for real ones, as a test of how much it looks at them.
    """

    def __init__(self, *, cameras: Sequence[str] = (), clouds: Sequence[str] = (), lidar: bool = False,
                 is_told: bool = True) -> None:
        self.cameras = frozenset(cameras)
        self.clouds = frozenset([*clouds, *([LIDAR] if lidar else [])])
        self.is_told = is_told

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Silences the sensors.

        Args:
            results: holds `img` and `cam_names`, or clouds (`points`, `radar_points`), or all of them.

        Raises:
            ValueError: if a sensor to silence has not been loaded.
        """
        absent = sorted(self.cameras - set(results.get('cam_names', ())))
        absent += [SPOKEN.get(name, name) for name in sorted(self.clouds) if points_key(name) not in results]
        if absent:
            raise ValueError(f'cannot drop {", ".join(absent)}: not loaded in this pipeline; put '
                             'GeminiDropSensors behind the loaders and name sensors that they read')
        is_dropped = np.array([name in self.cameras for name in results.get('cam_names', ())], dtype=bool)
        return without(results, is_dropped, clouds=self.clouds, is_told=self.is_told)


@TRANSFORMS.register_module()
class GeminiDropSensorsAtRandom(BaseTransform):
    """Modality dropout: silences sensors at random, never the last one.

    Draws from numpy's generator, which the dataset seeds for every sample: the same for any number
    of loading workers. Of its rare events, "no LiDAR", "no camera" and so on, at most one happens; each
    camera may fail besides, as long as a sensor is left. Place it behind everything that adds
    points, just before packing.

    Args:
        camera_prob: probability of each camera to fail on its own.
        all_cameras_prob: probability of all cameras to fail at once.
        lidar_prob: probability of the LiDAR to fail.
        cloud_probs: by name, that of further sensors with a cloud, such as dict(radar=0.1).
        phases: (epoch, share) pairs, by which all probabilities are multiplied: the share runs straight from
            pair to pair and stays before the first and after the last. ((2, 0), (4, 1)) spares the first
            two epochs, in which the sensors learn together, and rises through two. None: always in full.

    Raises:
        ValueError: if a probability or a phase is none.
    """

    def __init__(self, *, camera_prob: float = 0.0, all_cameras_prob: float = 0.0,
                 lidar_prob: float = 0.0, cloud_probs: Optional[Mapping[str, float]] = None,
                 phases: Optional[Sequence[Tuple[float, float]]] = None) -> None:
        self.event_probs = {LIDAR: lidar_prob, CAMERA: all_cameras_prob, **(cloud_probs or {})}
        probabilities = (camera_prob, *self.event_probs.values())
        if min(probabilities) < 0 or max(probabilities) > 1 or sum(self.event_probs.values()) > 1:
            raise ValueError(f'got camera_prob={camera_prob}, all_cameras_prob={all_cameras_prob}, '
                             f'lidar_prob={lidar_prob}, cloud_probs={cloud_probs}; expected 0 to 1 each and '
                             'the sum of all but the first at most 1, since only one of them happens')
        self.camera_prob = camera_prob
        self.phases = list(phases or ())
        epochs, shares = [phase[0] for phase in self.phases], [phase[1] for phase in self.phases]
        if epochs != sorted(set(epochs)) or any(not 0 <= share <= 1 for share in shares):
            raise ValueError(f'got phases={phases}; expected (epoch, share) pairs with rising epochs and '
                             'shares from 0 to 1')

    def share(self, epoch: float) -> float:
        """Returns by what the probabilities are multiplied."""
        return float(np.interp(epoch, *zip(*self.phases))) if self.phases else 1.0

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Draws and silences.

        Args:
            results: holds `img`, or clouds, or both; with phases the `epoch`, as the dataset sets it.

        Raises:
            ValueError: if there are phases and no epoch.
        """
        if self.phases and 'epoch' not in results:
            raise ValueError('GeminiDropSensorsAtRandom with phases got a sample without epoch; expected a '
                             'dataset of this project, GeminiNuScenesDataset or GeminiRecordDataset')
        share = self.share(results.get('epoch', 0))
        is_present = cameras_present(results)
        filled = {key for key, value in results.items() if isinstance(value, BasePoints) and len(value)}
        event, spared = np.random.uniform(size=2)
        is_dropped = np.random.uniform(size=len(is_present)) < share * self.camera_prob
        failed = self._failed(event, share)
        if failed == CAMERA:
            is_dropped = np.ones_like(is_present)
        dropped = [failed] if failed and failed != CAMERA and points_key(failed) in filled else []
        left = filled - {points_key(name) for name in dropped}
        if not left and not is_present.any():
            return without(results, is_dropped)
        if not left and (is_dropped | ~is_present).all():
            candidates = np.flatnonzero(is_present)
            is_dropped[candidates[int(spared * len(candidates))]] = False
        return without(results, is_dropped, clouds=dropped)

    def _failed(self, event: float, share: float) -> Optional[str]:
        """Returns which rare event a number from 0 to 1 stands for."""
        for name, probability in self.event_probs.items():
            if event < share * probability:
                return name
            event -= share * probability
        return None


def cameras_present(results: Dict[str, Any]) -> np.ndarray:
    """Returns (n_cam,) booleans; all True where no earlier step knows of a missing camera."""
    return np.asarray(results.get('camera_present', [True] * len(results.get('img', ()))), dtype=bool)


def without(results: Dict[str, Any], is_dropped: np.ndarray, *, clouds: Collection[str] = (),
            is_told: bool = True) -> Dict[str, Any]:
    """Returns the sample without some cameras' pictures and some sensors' clouds.

    Args:
        results: the sample; left as it is.
        is_dropped: (n_cam,) which cameras.
        clouds: names of the sensors.
        is_told: record the dropped cameras in `camera_present`.
    """
    results = dict(results)
    if 'img' in results:
        results['img'] = [np.zeros_like(image) if dropped else image
                          for image, dropped in zip(results['img'], is_dropped)]
        is_present = cameras_present(results)
        results['camera_present'] = is_present & ~is_dropped if is_told else is_present
    for key in map(points_key, clouds):
        results[key] = results[key].new_point(results[key].tensor[:0])
    return results
