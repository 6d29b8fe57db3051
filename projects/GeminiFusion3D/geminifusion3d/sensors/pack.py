"""Last step of a pipeline: inputs and ground truth as tensors, every cloud among them."""
from typing import Any, Dict

from mmdet3d.datasets.transforms import Pack3DDetInputs
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints


@TRANSFORMS.register_module()
class GeminiPackInputs(Pack3DDetInputs):
    """mmdet3d's, and each cloud of `keys`, whatever its name (mmdet3d knows `points` only)."""

    def pack_single_results(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Packs one sample.

        Args:
            results: of the pipeline.
        """
        clouds = {key: results[key].tensor for key in self.keys
                  if key != 'points' and isinstance(results.get(key), BasePoints)}
        packed = super().pack_single_results(
            {key: value for key, value in results.items() if key not in clouds})
        packed['inputs'].update(clouds)
        return packed
