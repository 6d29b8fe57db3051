"""What a decoded query says: its class and its box code, a small branch for each part.

Source: the host's SeparateHead, as mmdet3d's projects/BEVFusion uses it. Delta: the branches are put
together to box codes here, once, in the coder's order.
"""
from typing import Tuple

import torch
from jaxtyping import Float
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from torch import Tensor

from ..nuscenes_facts import CLASS_NAMES

# Width of each regression branch, in the order of the box code.
_BRANCH_WIDTHS = dict(center=2, height=1, dim=3, rot=2, vel=2)
_CONVS_PER_BRANCH = 2


class QueryPrediction(SeparateHead):
    """The host's branches on queries instead of cells.

    Args:
        channels: of a query.
        branch_channels: hidden channels of a branch.
        init_bias: logit at which the classes start.
    """

    def __init__(self, *, channels: int, branch_channels: int, init_bias: float) -> None:
        widths = dict(_BRANCH_WIDTHS, heatmap=len(CLASS_NAMES))
        super().__init__(
            channels, {name: (width, _CONVS_PER_BRANCH) for name, width in widths.items()},
            head_conv=branch_channels, init_bias=init_bias, conv_cfg=dict(type='Conv1d'),
            norm_cfg=dict(type='BN1d'))

    def forward(self, queries: Float[Tensor, 'b n c'], query_xy_cells: Float[Tensor, 'b n 2']
                ) -> Tuple[Float[Tensor, 'b n k'], Float[Tensor, 'b n 10']]:
        """Returns class logits and box codes; a query regresses its box's centre from its own."""
        parts = {name: part.transpose(1, 2)
                 for name, part in super().forward(queries.transpose(1, 2)).items()}
        centre_xy_cells = parts['center'] + query_xy_cells
        others = [parts[name] for name in _BRANCH_WIDTHS if name != 'center']
        return parts['heatmap'], torch.cat([centre_xy_cells, *others], dim=-1)
