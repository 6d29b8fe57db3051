"""Attention of each cell to many cells of the other map, instead of to its twin alone.

Source: Vaswani et al., Attention is all you need, NeurIPS 2017; Jia et al., GeminiFusion, section 3.2,
equation 2 (the cross-attention whose cost that paper avoids); windows without shift as in the first half
of a block of Swin (Liu et al., ICCV 2021). What changes here: padded cells are no keys, and queries and
keys know their place, since no convolution tells it between two BEV maps.
"""
import math
from typing import Optional, Sequence

import torch
from jaxtyping import Bool, Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from .two_maps import WeightedSum, check_same_shape


class CrossAttention(nn.Module):
    """Cells of one map query the cells of the other, within a window or everywhere.

        q = Wq (x + p),  k = Wk (y + p),  v = Wv y,  out = x + Wo softmax(q k^T / sqrt(d)) v

    with the sine position p of each cell. For N cells the whole map takes N^2 multiply-adds per channel and
    windows of w x w cells N w^2. PyTorch's fused kernels, on CPUs and GPUs, compute logits block by block in
    float32 and never hold the N x N matrix: memory stays linear in N, time does not.

    Args:
        channels: C, a multiple of 4.
        heads: attention heads; must divide C.
        window: side of a square window in cells; None for the whole map.

    Raises:
        ValueError: if the channels cannot be split so, or a window holds a single cell.
    """

    def __init__(self, *, channels: int, heads: int, window: Optional[int]) -> None:
        super().__init__()
        if channels % heads or channels % 4:
            raise ValueError(f'channels must be a multiple of heads and of 4, got {channels} channels '
                             f'and {heads} heads')
        if window is not None and window < 2:
            raise ValueError('a window must be at least 2 cells wide, or None for the whole map; '
                             f'got {window}')
        self.heads, self.window = heads, window
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.out_proj = nn.Linear(channels, channels)

    def forward(self, own: Float[Tensor, 'b y x c'], other: Float[Tensor, 'b y x c']
                ) -> Float[Tensor, 'b y x c']:
        """Returns the own features plus what they found in the other map."""
        shape_yx = own.shape[1:3]
        window_yx = shape_yx if self.window is None else (self.window, self.window)
        position = sine_positions(own)
        q, k, v = (windows_from_cells(part, window_yx, heads=self.heads) for part in (
            self.q_proj(own + position), self.k_proj(other + position), self.v_proj(other)))
        found = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=_is_cell(own, window_yx))
        return own + self.out_proj(cells_from_windows(found, window_yx, shape_yx))


@MODELS.register_module()
class GeminiCrossAttention(BaseModule):
    """Each map reads the other one, then both are summed by learned weights.

    Args:
        channels: C of both maps and of the fused map.
        heads: attention heads; must divide C.
        window: side of a square window in cells; None for attention over the whole map.
    """

    def __init__(self, *, channels: int, heads: int = 8, window: Optional[int] = None) -> None:
        super().__init__()
        self.camera_attention = CrossAttention(channels=channels, heads=heads, window=window)
        self.lidar_attention = CrossAttention(channels=channels, heads=heads, window=window)
        self.merge = WeightedSum()
        self.out_channels = channels

    def forward(self, camera_bev: Float[Tensor, 'b c y x'],
                lidar_bev: Float[Tensor, 'b_lidar c_lidar y_lidar x_lidar']
                ) -> Float[Tensor, 'b c y x']:
        """Return the fused map.

        Args:
            camera_bev: on the same grid as the other.
            lidar_bev: of the same shape.

        Raises:
            ValueError: if the two maps are not of one shape.
        """
        check_same_shape(camera_bev, lidar_bev)
        camera, lidar = camera_bev.permute(0, 2, 3, 1), lidar_bev.permute(0, 2, 3, 1)
        new_camera = self.camera_attention(camera, lidar).permute(0, 3, 1, 2)
        new_lidar = self.lidar_attention(lidar, camera).permute(0, 3, 1, 2)
        return self.merge(new_camera, new_lidar)


def sine_positions(like: Float[Tensor, 'b y x c']) -> Float[Tensor, 'y x c']:
    """Returns sines and cosines of row and column at wavelengths from 2 pi to 1000 cells."""
    _, n_y, n_x, channels = like.shape
    rates = torch.exp(torch.arange(channels // 4, device=like.device) * (-math.log(160) / (channels // 4)))
    rows = torch.arange(n_y, device=like.device)[:, None, None] * rates
    columns = torch.arange(n_x, device=like.device)[None, :, None] * rates
    waves = [wave.expand(n_y, n_x, -1) for wave in (rows.sin(), rows.cos(), columns.sin(), columns.cos())]
    return torch.cat(waves, dim=-1).to(like.dtype)


def _is_cell(own: Tensor, window_yx: Sequence[int]) -> Optional[Bool[Tensor, 'windows 1 1 keys']]:
    """Tells keys from padding; None where nothing is padded, which lets the fastest kernels run."""
    if own.shape[1] % window_yx[0] == 0 and own.shape[2] % window_yx[1] == 0:
        return None
    ones = own.new_ones(*own.shape[:3], 1)
    return windows_from_cells(ones, window_yx, heads=1).transpose(-1, -2) > 0


def windows_from_cells(cells: Float[Tensor, 'b y x c'], window_yx: Sequence[int], *, heads: int
                       ) -> Float[Tensor, 'windows heads cells d']:
    """Returns the windows row by row, sample after sample; rows and columns that miss are zeros at the end.

    Args:
        cells: a map with channels last.
        window_yx: rows and columns of a window.
        heads: parts into which the channels are split.
    """
    side_y, side_x = window_yx
    cells = nn.functional.pad(cells, (0, 0, 0, -cells.shape[2] % side_x, 0, -cells.shape[1] % side_y))
    windows = cells.unflatten(3, (heads, -1)).unflatten(2, (-1, side_x)).unflatten(1, (-1, side_y))
    # (b, rows, side_y, columns, side_x, heads, d) -> (b, rows, columns, heads, side_y, side_x, d)
    return windows.permute(0, 1, 3, 5, 2, 4, 6).flatten(4, 5).flatten(0, 2)


def cells_from_windows(windows: Float[Tensor, 'windows heads cells d'], window_yx: Sequence[int],
                       shape_yx: Sequence[int]) -> Float[Tensor, 'b y x c']:
    """Returns the map whose windows these are, without the padding.

    Args:
        windows: as `windows_from_cells` returns them.
        window_yx: rows and columns of a window.
        shape_yx: rows and columns of the map.
    """
    (side_y, side_x), (n_y, n_x) = window_yx, shape_yx
    rows, columns = -(-n_y // side_y), -(-n_x // side_x)
    cells = windows.unflatten(2, (side_y, side_x)).unflatten(0, (-1, rows, columns))
    # (b, rows, columns, heads, side_y, side_x, d) -> (b, rows, side_y, columns, side_x, heads, d)
    cells = cells.permute(0, 1, 4, 2, 5, 3, 6).flatten(5, 6).flatten(3, 4).flatten(1, 2)
    return cells[:, :n_y, :n_x]
