"""First half of the TransFusion head: a heat map per class, and queries at the highest peaks.

Source: Bai et al., TransFusion, CVPR 2022, section 3.2 ("Query Initialization"); the variant of
mmdet3d's projects/BEVFusion (transfusion_head.py). Here the queries are a return value, not an
attribute, and the map is (B, C, Y, X).
"""
from typing import NamedTuple, Sequence

import torch
from jaxtyping import Bool, Float, Int
from mmcv.cnn import ConvModule
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional

from ..geometry.bev_grid import BEVGrid


class Queries(NamedTuple):
    """Where the decoder looks for an object, and of which class.

    Attributes:
        features: the map's feature at the peak plus the embedding of the class.
        centre_xy_cells: centre of the peak's cell.
        classes: index of the class whose heat map has the peak.
        scores: height of the peak; 0 where fewer than N peaks exist.
        heatmap_logits: the heat maps before the sigmoid.
    """

    features: Float[Tensor, 'b n c']
    centre_xy_cells: Float[Tensor, 'b n 2']
    classes: Int[Tensor, 'b n']
    scores: Float[Tensor, 'b n']
    heatmap_logits: Float[Tensor, 'b k y x']


class QueryInit(BaseModule):
    """Picks the N highest local maxima of all classes.

    Args:
        bev_grid: the grid of the map.
        channels: C of the map.
        num_queries: N.
        peak_kernel: side of the odd square in which a peak must be the highest.
        classes: names of all classes, in the order of the labels.
        unpooled_classes: classes so small and close that each of their cells may be a peak.
        init_bias: logit at which the heat map starts.

    Raises:
        ValueError: if there are more queries than cells and classes, the kernel is even, or a class
            is unknown.
    """

    def __init__(self, *, bev_grid: BEVGrid, channels: int, num_queries: int, peak_kernel: int,
                 classes: Sequence[str], unpooled_classes: Sequence[str], init_bias: float) -> None:
        super().__init__()
        _check(bev_grid, num_queries, peak_kernel, classes, unpooled_classes)
        self.num_queries, self.peak_kernel, self.init_bias = num_queries, peak_kernel, init_bias
        last = nn.Conv2d(channels, len(classes), 3, padding=1)
        self.heatmap = nn.Sequential(
            ConvModule(channels, channels, 3, padding=1, norm_cfg=dict(type='BN2d')), last)
        self.class_embedding = nn.Conv1d(len(classes), channels, 1)
        self.register_buffer('cell_xy_cells', cell_centres(bev_grid), persistent=False)
        self.register_buffer('is_pooled', torch.tensor(
            [name not in unpooled_classes for name in classes]), persistent=False)

    def init_weights(self) -> None:
        """Starts every cell at a low score: nearly all of them are background."""
        super().init_weights()
        nn.init.constant_(self.heatmap.get_parameter('1.bias'), self.init_bias)

    def forward(self, bev: Float[Tensor, 'b c y x']) -> Queries:
        """Returns the queries of a map.

        Args:
            bev: in float32.
        """
        heatmap_logits = self.heatmap(bev)
        peaks = self._peaks(heatmap_logits.detach().sigmoid()).flatten(2)
        scores, peak_index = peaks.flatten(1).topk(self.num_queries, dim=1)
        classes, cells = peak_index // peaks.shape[2], peak_index % peaks.shape[2]
        features = bev.flatten(2).gather(2, cells.unsqueeze(1).expand(-1, bev.shape[1], -1))
        every_class = torch.arange(heatmap_logits.shape[1], device=bev.device).unsqueeze(1)
        one_hot = (classes.unsqueeze(1) == every_class).to(bev.dtype)
        features = features + self.class_embedding(one_hot)
        return Queries(features=features.transpose(1, 2), centre_xy_cells=self.cell_xy_cells[cells],
                       classes=classes, scores=scores, heatmap_logits=heatmap_logits)

    def _peaks(self, scores: Float[Tensor, 'b k y x']) -> Float[Tensor, 'b k y x']:
        """Returns the scores of the peaks and 0 elsewhere.

        On the outermost ring, where a neighbourhood is incomplete, a pooled class has no peak: what
        the published weights were trained with.
        """
        margin = self.peak_kernel // 2
        highest = functional.max_pool2d(scores, self.peak_kernel, stride=1)
        is_peak: Bool[Tensor, 'b k y x'] = scores == functional.pad(highest, [margin] * 4)
        return scores * (is_peak | ~self.is_pooled.view(-1, 1, 1))


def cell_centres(bev_grid: BEVGrid) -> Float[Tensor, 'cells 2']:
    """Returns the (x, y) centre of every cell of a flattened map, counted in cells."""
    rows, columns = torch.meshgrid(torch.arange(bev_grid.n_y), torch.arange(bev_grid.n_x), indexing='ij')
    return torch.stack([columns.flatten(), rows.flatten()], dim=1) + 0.5


def _check(bev_grid: BEVGrid, num_queries: int, peak_kernel: int, classes: Sequence[str],
           unpooled_classes: Sequence[str]) -> None:
    candidates = len(classes) * bev_grid.n_y * bev_grid.n_x
    if not 1 <= num_queries <= candidates:
        raise ValueError(f'num_queries must lie in 1..{candidates}, the classes times the cells of the '
                         f'grid, got {num_queries}')
    if peak_kernel % 2 == 0 or not 1 <= peak_kernel <= min(bev_grid.shape_yx):
        raise ValueError(f'peak_kernel must be odd and fit into the grid of {bev_grid.shape_yx} cells, '
                         f'got {peak_kernel}')
    unknown = sorted(set(unpooled_classes) - set(classes))
    if unknown:
        raise ValueError(f'unpooled_classes must be among {list(classes)}, got {unknown}')
