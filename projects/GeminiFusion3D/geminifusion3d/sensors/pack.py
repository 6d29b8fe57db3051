"""Last step of a pipeline: inputs and ground truth as tensors, all clouds and labels of cells too."""
from typing import Any, Dict

import torch
from mmdet3d.datasets.transforms import Pack3DDetInputs
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import BasePoints


@TRANSFORMS.register_module()
class GeminiPackInputs(Pack3DDetInputs):
    """mmdet3d's, which knows `points` only; also each other cloud of `keys`, and `gt_cells`."""

    def pack_single_results(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Packs one sample."""
        clouds = {key: results[key].tensor for key in self.keys
                  if key != 'points' and isinstance(results.get(key), BasePoints)}
        packed: Dict[str, Any] = super().pack_single_results(
            {key: value for key, value in results.items() if key not in clouds})
        packed['inputs'].update(clouds)
        if 'gt_cells' in results:
            sample = packed['data_samples']
            sample.gt_cells = torch.from_numpy(results['gt_cells'])
            sample.set_metainfo({key: results[key] for key in ('cell_grid', 'cell_classes')})
        return packed
