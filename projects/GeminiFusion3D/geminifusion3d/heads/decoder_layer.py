"""Second half of the TransFusion head: queries look at each other, then at the whole BEV map.

Source: Bai et al., TransFusion, CVPR 2022, section 3.3; the variant of mmdet3d's projects/BEVFusion
(transformer.py), in which the values carry the position embedding too. Here nobody asks for the
attention weights: the host does, never reads them, and so forbids kernels that need not store heads x
queries x cells numbers.
"""
import torch
from jaxtyping import Float
from mmengine.model import BaseModule
from torch import Tensor, nn


class PositionEmbedding(nn.Sequential):
    """Learned embedding of a place.

    Args:
        channels: of the embedding.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__(nn.Conv1d(2, channels, 1), nn.BatchNorm1d(channels), nn.ReLU(),
                         nn.Conv1d(channels, channels, 1))

    def forward(self, xy_cells: Float[Tensor, 'b n 2']) -> Float[Tensor, 'b n c']:
        """Returns the embedding of each place."""
        return super().forward(xy_cells.transpose(1, 2)).transpose(1, 2)


class DecoderLayer(BaseModule):
    """Self-attention, cross-attention and a feed-forward network, each with residual and norm.

    Runs in float32: its caller switches autocast off, for the logits' sake and because half precision
    cannot tell neighbouring cells of a large grid apart (bfloat16 counts to 256).

    Args:
        channels: C of queries and map.
        heads: attention heads; must divide C.
        feedforward_channels: hidden channels of the feed-forward network.
        dropout: of attention weights, of each sub-layer's output and of the hidden channels.

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
        """Draws every matrix as the paper's code does."""
        super().init_weights()
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, queries: Float[Tensor, 'b n c'], query_xy_cells: Float[Tensor, 'b n 2'],
                cells: Float[Tensor, 'b cells c'], cell_xy_cells: Float[Tensor, 'cells 2']
                ) -> Float[Tensor, 'b n c']:
        """Returns the queries after they have seen each other and the map.

        Args:
            queries: features.
            query_xy_cells: where they are.
            cells: features of the flattened map.
            cell_xy_cells: where those are, the same in every sample.
        """
        at_query = self.query_position(query_xy_cells)
        placed = queries + at_query
        queries = self.norms[0](queries + self._attend(self.self_attention, placed, placed))
        at_cell = self.map_position(cell_xy_cells.unsqueeze(0))
        queries = self.norms[1](
            queries + self._attend(self.cross_attention, queries + at_query, cells + at_cell))
        return self.norms[2](queries + self.feedforward(queries))

    def _attend(self, attention: nn.MultiheadAttention, query: Tensor, key: Tensor) -> Tensor:
        return self.dropout(attention(query, key, key, need_weights=False)[0])


def float32_region(like: Tensor) -> torch.autocast:
    """Returns a context without autocast on the device of a tensor."""
    return torch.autocast(like.device.type, enabled=False)
