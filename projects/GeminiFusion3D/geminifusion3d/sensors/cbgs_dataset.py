"""Class-balanced repetition of keyframes (CBGS, arXiv 1908.09492): rare classes are seen more often.

Subclass of mmdet3d v1.4.0 `datasets/dataset_wrappers.py` CBGSDataset, with the same share of draws for
every class. The delta: the draw has its own seed, so that every process and every resumed run repeats
the same keyframes (mmdet3d takes the process's generator); repetitions of a keyframe are augmented
differently; a class that the split does not hold is left out (mmdet3d divides by zero).
"""
from collections import Counter
from typing import Any, Dict, List, Union

import numpy as np
from mmdet3d.datasets import CBGSDataset
from mmdet3d.registry import DATASETS

from ..errors import UserError
from .keyframe_dataset import GeminiKeyframeDataset

SAMPLING_STREAM = 1


@DATASETS.register_module()
class GeminiCBGSDataset(CBGSDataset):
    """Repeats keyframes so that every class is drawn equally often.

    With n_c keyframes that hold class c and n = sum n_c, each class draws n / (number of classes)
    of its keyframes, with replacement.

    Args:
        dataset: a GeminiKeyframeDataset or its config.
        seed: of the draw; another epoch repeats the same keyframes with other augmentation.
        lazy_init: do not read the info file yet.
    """

    def __init__(self, *, dataset: Union[GeminiKeyframeDataset, Dict[str, Any]], seed: int = 0,
                 lazy_init: bool = False) -> None:
        self.seed = seed
        super().__init__(dataset=dataset, lazy_init=True)
        if not isinstance(self.dataset, GeminiKeyframeDataset):
            raise ValueError(f'GeminiCBGSDataset got a {type(self.dataset).__name__}; expected a '
                             'GeminiKeyframeDataset, which augments repetitions differently')
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Reads the info file and counts, for each draw, how often its keyframe came before."""
        if self._fully_initialized:
            return
        super().full_init()
        counts: Counter = Counter()
        self.repetitions: List[int] = []
        for index in self.sample_indices:
            self.repetitions.append(counts[index])
            counts[index] += 1

    def __getitem__(self, idx: int) -> dict:
        """Runs the pipeline on the keyframe of one draw."""
        self.full_init()
        return self.dataset.draw(self.sample_indices[idx], repetition=self.repetitions[idx])

    def _get_sample_indices(self, dataset: GeminiKeyframeDataset) -> List[int]:
        """Draws keyframes, class by class."""
        keyframes: Dict[int, List[int]] = {}
        for index in range(len(dataset)):
            for label in sorted(dataset.get_cat_ids(index)):
                keyframes.setdefault(label, []).append(index)
        if not keyframes:
            raise UserError(f'{dataset.ann_file} holds no box of {", ".join(self.metainfo["classes"])}; '
                            'class-balanced repetition needs some: use the dataset without it')
        per_class = sum(map(len, keyframes.values())) // len(keyframes)
        generator = np.random.default_rng((self.seed, SAMPLING_STREAM))
        drawn = [generator.choice(keyframes[label], per_class) for label in sorted(keyframes)]
        return np.concatenate(drawn).tolist()
