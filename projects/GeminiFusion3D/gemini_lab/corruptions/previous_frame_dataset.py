"""Keyframes that know an earlier one, for sensors that are late."""
from typing import Any, Dict, Optional

from mmdet3d.registry import DATASETS

from geminifusion3d.sensors.keyframe_dataset import GeminiNuScenesDataset

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
        """Returns one keyframe's record with `previous`.

        Args:
            idx: which keyframe.
        """
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
