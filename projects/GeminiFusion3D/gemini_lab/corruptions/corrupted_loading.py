"""The loading steps of any recipe, corrupted: the one transform that a corrupted recipe names."""
from typing import Any, Dict, List, Sequence

from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from .catalogue import Corruption, find_corruption
from .temporal_misalignment import PREVIOUS


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
    """Returns the steps with those loaders replaced whose sensor the corruption touches.

    Args:
        steps: transforms as configs.
        corruption: what happens.
        choice: `corruption` and `severity`, for the replaced loaders.
    """
    replaced = {}
    if corruption.touches_cameras:
        replaced['GeminiLoadImages'] = 'GeminiLoadCorruptedImages'
    if corruption.touches_lidar:
        replaced['GeminiLoadPoints'] = 'GeminiLoadCorruptedPoints'
    if corruption.radar is not None:
        replaced['GeminiLoadRadar'] = 'GeminiLoadCorruptedRadar'
    return [{**step, **choice, 'type': replaced[step['type']]} if step['type'] in replaced else dict(step)
            for step in steps]
