"""The layers of the TransFusion head: queries at the peaks of a heat map, a decoder, box codes.

Source: Bai et al., TransFusion, CVPR 2022, sections 3.2 ("Query Initialization") and 3.3; the variant of
mmdet3d's projects/BEVFusion (transfusion_head.py). Here the queries are a return value, not an attribute,
and the map is (B, C, Y, X).

The decoder is that of mmdet3d's projects/BEVFusion (transformer.py), in which the values carry the position
embedding too. mmdet3d asks for the attention weights and never reads them, which rules out kernels that
need not store heads x queries x cells numbers; here they are not asked for. The branches are those of
mmdet3d 1.4.0's SeparateHead; here they are put together to box codes, once, in the coder's order.
"""
from typing import NamedTuple, Sequence

import torch
from jaxtyping import Bool, Float, Int
from mmcv.cnn import ConvModule
from mmdet3d.models.dense_heads.centerpoint_head import SeparateHead
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

    def forward(self, queries: Float[Tensor, 'b n c'], query_xy_cells: Float[Tensor, 'b n 2']) -> Prediction:
        """Returns what each query predicts; the centre of its box is regressed from its own position."""
        parts = {name: part.transpose(1, 2)
                 for name, part in super().forward(queries.transpose(1, 2)).items()}
        centre_xy_cells = parts['center'] + query_xy_cells
        others = [parts[name] for name in _BRANCH_WIDTHS if name != 'center']
        return Prediction(parts['heatmap'], torch.cat([centre_xy_cells, *others], dim=-1))


class PositionEmbedding(nn.Sequential):
    """Learned embedding of a position.

    Args:
        channels: channels of the embedding.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(nn.Conv1d(2, channels, 1), nn.BatchNorm1d(channels), nn.ReLU(),
                         nn.Conv1d(channels, channels, 1))

    def forward(self, xy_cells: Float[Tensor, 'b n 2']) -> Float[Tensor, 'b n c']:
        """Returns the embedding of each position.

        Args:
            xy_cells: positions in cells.
        """
        return super().forward(xy_cells.transpose(1, 2)).transpose(1, 2)


class DecoderLayer(BaseModule):
    """Self-attention, cross-attention and a feed-forward network, each with residual and norm.

    Runs in float32: its caller switches autocast off, for the logits' sake and because half precision
    cannot tell neighbouring cells of a large grid apart (bfloat16 counts to 256).

    Args:
        channels: C of queries and map.
        heads: attention heads; must divide C.
        feedforward_channels: hidden channels of the feed-forward network.
        dropout: rate for attention weights, each sub-layer's output and the hidden channels.

    Raises:
        ValueError: if heads does not divide channels.
    """

    def __init__(self, *, channels: int, heads: int, feedforward_channels: int, dropout: float) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f'heads must divide the hidden channels, got {heads} heads for {channels}')
        self.self_attention = nn.MultiheadAttention(channels, heads, dropout, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(channels, heads, dropout, batch_first=True)
        self.query_position = PositionEmbedding(channels=channels)
        self.map_position = PositionEmbedding(channels=channels)
        self.feedforward = nn.Sequential(
            nn.Linear(channels, feedforward_channels), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(feedforward_channels, channels), nn.Dropout(dropout))
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def init_weights(self) -> None:
        """Initialises every matrix as the paper's code does."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, queries: Float[Tensor, 'b n c'], query_xy_cells: Float[Tensor, 'b n 2'],
                cells: Float[Tensor, 'b cells c'], cell_xy_cells: Float[Tensor, 'cells 2']
                ) -> Float[Tensor, 'b n c']:
        """Returns the queries after attention to each other and to the map.

        Args:
            queries: features of the queries.
            query_xy_cells: positions of the queries.
            cells: features of the flattened map.
            cell_xy_cells: positions of the cells, the same in every sample.
        """
        at_query = self.query_position(query_xy_cells)
        placed = queries + at_query
        queries = self.norms[0](queries + self._attend(self.self_attention, placed, placed))
        at_cell = self.map_position(cell_xy_cells.unsqueeze(0))
        queries = self.norms[1](
            queries + self._attend(self.cross_attention, queries + at_query, cells + at_cell))
        return self.norms[2](queries + self.feedforward(queries))

    def _attend(self, attention: nn.MultiheadAttention, query: Float[Tensor, 'b n c'],
                key: Float[Tensor, 'b m c']) -> Float[Tensor, 'b n c']:
        return self.dropout(attention(query, key, key, need_weights=False)[0])


def float32_region(like: Float[Tensor, '...']) -> torch.autocast:
    """Returns a context without autocast on the device of a tensor."""
    return torch.autocast(like.device.type, enabled=False)
