"""Predicts the class and the box code of a decoded query, with a small branch for each part.

Source: mmdet3d 1.4.0 SeparateHead, as projects/BEVFusion uses it. Difference: the branches are put together
to box codes here, once, in the coder's order.
"""
from typing import NamedTuple

import torch
from jaxtyping import Float
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
from torch import Tensor

# Width of each regression branch, in the order of the box code.
_BRANCH_WIDTHS = dict(center=2, height=1, dim=3, rot=2, vel=2)
_CONVS_PER_BRANCH = 2


class Prediction(NamedTuple):
    """What a query predicts.

    Attributes:
        class_logits: one per class.
        codes: box codes, see BoxCoder.
    """

    class_logits: Float[Tensor, 'b n k']
    codes: Float[Tensor, 'b n 10']


class QueryPrediction(SeparateHead):
    """mmdet3d's branches on queries instead of cells.

    Args:
        channels: channels of a query.
        num_classes: number of classes.
        branch_channels: hidden channels of a branch.
        init_bias: logit at which the classes start.
    """

    def __init__(self, *, channels: int, num_classes: int, branch_channels: int, init_bias: float) -> None:
        widths = dict(_BRANCH_WIDTHS, heatmap=num_classes)
        super().__init__(
            channels, {name: (width, _CONVS_PER_BRANCH) for name, width in widths.items()},
            head_conv=branch_channels, init_bias=init_bias, conv_cfg=dict(type='Conv1d'),
            norm_cfg=dict(type='BN1d'))

    def forward(self, queries: Float[Tensor, 'b n c'], query_xy_cells: Float[Tensor, 'b n 2']
                ) -> Prediction:
        """Returns what each query predicts; the centre of its box is regressed from its own position."""
        parts = {name: part.transpose(1, 2)
                 for name, part in super().forward(queries.transpose(1, 2)).items()}
        centre_xy_cells = parts['center'] + query_xy_cells
        others = [parts[name] for name in _BRANCH_WIDTHS if name != 'center']
        return Prediction(parts['heatmap'], torch.cat([centre_xy_cells, *others], dim=-1))
