"""Keyframes that know an earlier one, for sensors that are late, or have another one's pictures."""
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmdet3d.registry import DATASETS

from geminifusion3d.sensors.keyframe_dataset import GeminiNuScenesDataset

from .records import with_file_of

NEIGHBOURS_KEYS = ('images', 'lidar_points', 'lidar_sweeps')


@DATASETS.register_module()
class GeminiPreviousFrameDataset(GeminiNuScenesDataset):
    """Hands on, under `previous`, the sensors' part of an earlier record of the scene, or None.

    The only difference with GeminiNuScenesDataset, whose arguments it takes.

    Args:
        keyframes_back: how much earlier; in a scene that is shorter, its first keyframe.
        **kwargs: as in GeminiNuScenesDataset.

    Raises:
        ValueError: if it is not earlier.
    """

    def __init__(self, *, keyframes_back: int = 1, **kwargs: Any) -> None:
        if keyframes_back < 1:
            raise ValueError(f'got keyframes_back={keyframes_back}; expected 1 or more')
        self.keyframes_back = keyframes_back
        super().__init__(**kwargs)

    def get_data_info(self, idx: int) -> Dict[str, Any]:
        """Returns one keyframe's record with `previous`."""
        own = super().get_data_info(idx)
        return {**own, 'previous': self._sensors_before(own, own['sample_idx'])}

    def _sensors_before(self, own: Dict[str, Any], idx: int) -> Optional[Dict[str, Any]]:
        """Info files list a scene's keyframes one after the other, in the order of time."""
        found = None
        for earlier in range(idx - 1, max(idx - self.keyframes_back, 0) - 1, -1):
            before = super().get_data_info(earlier)
            if before['scene_token'] != own['scene_token']:
                break
            found = before
        return None if found is None else {key: found[key] for key in NEIGHBOURS_KEYS if key in found}


@DATASETS.register_module()
class GeminiShuffledCamerasDataset(GeminiNuScenesDataset):
    """Hands on picture files of another keyframe, of another scene where there are enough of them.

    The only difference with GeminiNuScenesDataset, whose arguments it takes: calibration, poses, points
    and annotations stay those of the keyframe. How much does a model look at pictures? Black ones are unlike
    any that it has learned from; a stranger's are ordinary ones that say nothing about this place.
    """

    def full_init(self) -> None:
        """Reads the info file and decides who lends pictures to whom, once and for all."""
        if self._fully_initialized:
            return
        super().full_init()
        scenes = [super(GeminiShuffledCamerasDataset, self).get_data_info(index)['scene_token']
                  for index in range(len(self))]
        self._lenders = lenders_of(scenes)

    def get_data_info(self, idx: int) -> Dict[str, Any]:
        """Returns one keyframe's record with another's picture files."""
        own = super().get_data_info(idx)
        if 'images' not in own:
            return own
        lent = super().get_data_info(self._lenders[own['sample_idx']])['images']
        return {**own, 'images': {name: with_file_of(image, lent[name], 'img_path')
                                  for name, image in own['images'].items()}}


def lenders_of(scenes: Sequence[str]) -> List[int]:
    """Returns for each keyframe another one: a permutation that leaves none in its place.

    Keyframes are put in the order of scenes and then handed on by the length of the longest scene, which
    is another scene for everybody unless one scene has more than half of them.

    Args:
        scenes: the scene of each keyframe.

    Raises:
        ValueError: if there is nobody to lend from.
    """
    if len(scenes) < 2:
        raise ValueError(f'got {len(scenes)} keyframe; pictures are shuffled among two or more')
    _, group, sizes = np.unique(scenes, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind='stable')
    shift = min(int(sizes.max()), len(scenes) // 2)
    lenders = np.empty(len(scenes), dtype=int)
    lenders[order] = np.roll(order, -shift)
    return lenders.tolist()
