"""Keyframes that know the one before them, for sensors that are late."""
from typing import Any, Dict, Optional

from mmdet3d.registry import DATASETS

from geminifusion3d.sensors.keyframe_dataset import GeminiNuScenesDataset

NEIGHBOURS_KEYS = ('images', 'lidar_points', 'lidar_sweeps')


@DATASETS.register_module()
class GeminiPreviousFrameDataset(GeminiNuScenesDataset):
    """Hands on, under `previous`, the sensors' part of the record before in the scene, or None.

    The only difference with GeminiNuScenesDataset, whose arguments it takes.
    """

    def get_data_info(self, idx: int) -> Dict[str, Any]:
        """Returns one keyframe's record with `previous`.

        Args:
            idx: which keyframe.
        """
        own = super().get_data_info(idx)
        return {**own, 'previous': self._sensors_before(own, own['sample_idx'])}

    def _sensors_before(self, own: Dict[str, Any], idx: int) -> Optional[Dict[str, Any]]:
        """Info files list a scene's keyframes one after the other, in the order of time."""
        if idx == 0:
            return None
        before = super().get_data_info(idx - 1)
        if before['scene_token'] != own['scene_token']:
            return None
        return {key: before[key] for key in NEIGHBOURS_KEYS if key in before}
