"""Second half of the TransFusion head: queries look at each other, then at the whole BEV map.

Source: Bai et al., TransFusion, CVPR 2022, section 3.3; the variant of mmdet3d's projects/BEVFusion
(transformer.py), in which the values carry the position embedding too. mmdet3d asks for the attention
weights and never reads them, which rules out kernels that need not store heads x queries x cells numbers;
here they are not asked for.
"""
import torch
from jaxtyping import Float
from mmengine.model import BaseModule
from torch import Tensor, nn


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
