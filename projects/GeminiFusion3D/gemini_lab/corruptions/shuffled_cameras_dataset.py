"""Keyframes with another keyframe's pictures: how much does a model look at them?

Black pictures are unlike any that a model has learned from; a stranger's pictures are ordinary ones that
say nothing about this place.
"""
from typing import Any, Dict, List, Sequence

import numpy as np
from mmdet3d.registry import DATASETS

from geminifusion3d.sensors.keyframe_dataset import GeminiNuScenesDataset

from .temporal_misalignment import with_file_of


@DATASETS.register_module()
class GeminiShuffledCamerasDataset(GeminiNuScenesDataset):
    """Hands on picture files of another keyframe, of another scene where there are enough of them.

    The only difference with GeminiNuScenesDataset, whose arguments it takes: calibration, poses, points
    and annotations stay those of the keyframe.
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
        """Returns one keyframe's record with another's picture files.

        Args:
            idx: which keyframe.
        """
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
