"""Batches on their way to the model: to the device without waiting for it.

Source: mmdet3d 1.4.0 Det3DDataPreprocessor. The delta: copies do not block (the loaders pin their batches
where there is a GPU), and ground truth stays on the CPU, where the heads make their targets from it: on
the GPU they would have to fetch it back first.
"""
from typing import Any, Dict

from jaxtyping import Float, UInt8
from mmdet3d.models import Det3DDataPreprocessor
from mmdet3d.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class GeminiDataPreprocessor(Det3DDataPreprocessor):
    """mmdet3d's, with copies that do not block and ground truth that stays where it is.

    Args:
        **kwargs: arguments of Det3DDataPreprocessor.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{'non_blocking': True, **kwargs})

    def cast_data(self, data: Any) -> Any:
        """Copies a batch to the model's device, all but `data_samples`."""
        if not isinstance(data, dict) or 'data_samples' not in data:
            return super().cast_data(data)
        rest = {key: value for key, value in data.items() if key != 'data_samples'}
        return {**super().cast_data(rest), 'data_samples': data['data_samples']}

    def simple_process(self, data: Dict[str, Any], training: bool = False) -> Dict[str, Any]:
        """Prepares a batch; clouds of further sensors (`radar_points`) pass beside the LiDAR's."""
        processed = super().simple_process(data, training)
        clouds = {key: value for key, value in data['inputs'].items() if key.endswith('_points')}
        processed['inputs'].update(self.cast_data(clouds))
        return processed

    def preprocess_img(self, image: UInt8[Tensor, '3 h w']) -> Float[Tensor, '3 h w']:
        """Return the normalised image, RGB if `bgr_to_rgb` was asked for.

        mmdet3d swaps the channels by an index that it copies to the device, and waits for it, once per image.

        Args:
            image: one image.
        """
        pixels = (image.flip(0) if self._channel_conversion else image).float()
        return (pixels - self.mean) / self.std if self._enable_normalize else pixels
