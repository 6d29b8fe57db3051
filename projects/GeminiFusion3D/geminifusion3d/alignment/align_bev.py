"""Brings a branch's BEV map onto the one grid and to the fuser's channels: only here.

Resolution and extent are matched by exact bilinear resampling at the target cells' centres; a branch
that already lives on the grid passes through it untouched. Where a sensor is missing, a learned
feature stands in for its map.
"""
from typing import Any, Mapping, Optional, Union

import torch
from jaxtyping import Bool, Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..geometry.resample_bev import ResampleBEV


@MODELS.register_module(name='GeminiAlignBEV')
class AlignBEV(BaseModule):
    """Resamples a map from its own grid to the model's grid and projects its channels.

    Args:
        in_channels: channels of the branch.
        out_channels: channels of the fuser.
        bev_grid: the model's grid.
        branch_grid: the grid of the branch where it differs, else None. The detector builds the branch
            on it: it is written here only.
        project: False leaves the channels as they are.
        kernel_size: side of the projecting convolution.
        norm_momentum: of the batch norm's running statistics; raise it for a very short training.

    Raises:
        ValueError: if the channels change without a projection.
    """

    def __init__(self, *, in_channels: int, out_channels: int, bev_grid: BEVGrid,
                 branch_grid: Union[BEVGrid, Mapping[str, Any], None] = None, project: bool = True,
                 kernel_size: int = 3, norm_momentum: float = 0.01) -> None:
        super().__init__()
        if not project and in_channels != out_channels:
            raise ValueError(f'without a projection the channels stay, got in_channels={in_channels} and '
                             f'out_channels={out_channels}; make them equal or set project=True')
        self.branch_grid = _as_grid(branch_grid) or bev_grid
        self.project = ConvModule(
            in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False,
            norm_cfg=dict(type='BN2d', eps=1e-3, momentum=norm_momentum)) if project else nn.Identity()
        self.stand_in = nn.Parameter(torch.zeros(out_channels))
        self.resample = ResampleBEV(self.branch_grid, bev_grid)

    def forward(self, bev: Float[Tensor, 'b c_in y_in x_in'], is_present: Bool[Tensor, ' b']
                ) -> Float[Tensor, 'b c_out y x']:
        """Returns the map on the model's grid.

        Args:
            bev: the branch's map.
            is_present: False where the sensor delivered nothing; there every cell is the stand-in.

        Raises:
            ValueError: if the map is not of the branch's grid: transposed, or of another size.
        """
        if tuple(bev.shape[-2:]) != self.branch_grid.shape_yx:
            raise ValueError(f'a BEV map must be (B, C, Y, X) = (.., .., {self.branch_grid.n_y}, '
                             f'{self.branch_grid.n_x}), got {tuple(bev.shape)}; is it transposed?')
        aligned = self.project(self.resample(bev))
        stand_in = self.stand_in.to(aligned.dtype).view(1, -1, 1, 1)
        return torch.where(is_present.view(-1, 1, 1, 1), aligned, stand_in)


def _as_grid(grid: Union[BEVGrid, Mapping[str, Any], None]) -> Optional[BEVGrid]:
    return BEVGrid.from_config(grid) if isinstance(grid, Mapping) else grid
