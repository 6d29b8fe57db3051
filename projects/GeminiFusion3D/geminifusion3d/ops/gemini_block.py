"""GeminiFusion on one block of cells, up to the weighed values: what forward and backward both compute."""
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from .gemini_heads import Heads
from .gemini_layout import BlockShape
from .gemini_pointwise import pointwise_steps
from .gemini_products import Projection, projection
from .gemini_weights import CAMERA, LIDAR, LayerWeights


class Reading(NamedTuple):
    """Blocks of one direction; relation, activated and hidden are None without a relation network."""

    own: Tensor
    hidden: Optional[Tensor]
    activated: Optional[Tensor]
    relation: Optional[Tensor]
    gap: Tensor
    query: Tensor
    key: Tensor


# Which memory a block's results use. Forward, a result may replace what nobody reads any more, so that a
# block stays in the cache; backward, everything is read once more.
FORWARD = dict(activated='second', relation='first', gap='second', key='first', query='second',
               value='second', total='second')
BACKWARD = {name: name for name in FORWARD}


class ExchangeBlock:
    """Memory and projections for all blocks of one shape.

    Args:
        shape: of the blocks.
        weights: of the layer.
        memory: FORWARD or BACKWARD.
    """

    def __init__(self, shape: BlockShape, weights: LayerWeights, *, memory: Mapping[str, str]) -> None:
        relation, readers, heads, self.full, self.merged = weights
        any_weight = next(iter(readers.values())).query
        self.dtype, self.device = any_weight.dtype, any_weight.device
        self.shape, self.split, self.memory = shape, weights.split, memory
        self.steps = pointwise_steps(any_weight)
        self.heads = Heads(heads, shape, torch.promote_types(self.dtype, torch.float32), self.device)
        self.first = self.second = self.score = None
        if relation is not None:
            self.first = projection(relation.first, None if self.split else relation.bias, shape)
            self.second = projection(relation.second, relation.bias if self.split else None, shape)
            self.score = projection(relation.score, relation.score_bias, shape)
        self.query, self.key, self.value, self.own, self.out = (
            {modality: projection(getattr(weights, name), getattr(weights, f'{name}_bias', None), shape)
             for modality, weights in readers.items()} for name in ('query', 'key', 'value', 'own', 'out'))
        # The result's constant comes with its first term, the others are added to it.
        self._begun_by = {next(iter(readers))} if self.merged else set(readers)
        for modality in self._begun_by:
            biases = [reader.out_bias for key, reader in readers.items() if self.merged or key == modality]
            self.own[modality] = projection(readers[modality].own, sum(biases), shape)
        # score_backward asks for minus the gradient of the gap.
        self.minus_key = {modality: projection(-weights.key, None, shape)
                          for modality, weights in readers.items() if memory is BACKWARD}
        self._buffers: Dict[str, Tensor] = {}

    def buffer(self, name: str) -> Tensor:
        """Returns memory of a block; the same for the same name."""
        if name not in self._buffers:
            self._buffers[name] = torch.empty(self.shape.size, dtype=self.dtype, device=self.device)
        return self._buffers[name]

    def load(self, cells: Tensor, name: str) -> Tensor:
        """Returns cells of a map in the dtype of the weights, contiguous; a copy only where needed."""
        if cells.dtype == self.dtype and cells.is_contiguous():
            return cells
        return self.buffer(name).copy_(cells)

    def begin(self, camera: Tensor, lidar: Tensor, kept: Mapping[str, Tensor]) -> None:
        """Takes the cells of both maps.

        Args:
            camera: cells.
            lidar: cells.
            kept: forward, memory of results which the backward pass will need; backward, these results. See
                gemini_kept; empty if nothing is kept.
        """
        self.kept = kept
        self.cells = self.load(camera, 'camera'), self.load(lidar, 'lidar')
        self.difference = torch.sub(self.cells[LIDAR], self.cells[CAMERA], out=self.buffer('difference'))
        if self.score is not None and self.split:
            self.total = torch.add(*self.cells, out=self._memory('total'))
            if not self._known:
                self._hidden_of_both()

    @property
    def _known(self) -> bool:
        return bool(self.kept) and self.memory is BACKWARD

    def read(self, modality: int) -> Reading:
        """Computes one direction up to its query and the difference of its two keys."""
        if self._known:
            return self._look_up(modality)
        own, hidden, activated, relation = self.cells[modality], None, None, None
        gap = self.difference
        if self.score is not None:
            hidden, activated = self._hidden(modality), self._memory('activated')
            self.steps.activate(hidden, activated)
            relation = self._project(self.score, activated, 'relation', modality)
            gap = self._memory('gap')
            self.steps.score(own, relation, gap, self.shape.channel_dim)
        key = self._project(self.key[modality], gap, 'key', modality)
        query = self._project(self.query[modality], own, 'query', modality)
        return Reading(own, hidden, activated, relation, gap, query, key)

    def read_value(self, modality: int) -> Tuple[Tensor, bool]:
        """Returns the difference of one direction's two values, and whether it is weighed already.

        To be called when query and key are used up.
        """
        if self._known:
            return self.kept[f'value {modality}'], True
        return self._project(self.value[modality], self.difference, 'value', modality), False

    def enrich(self, modality: int, out: Tensor) -> Tensor:
        """Writes the result of one direction into out, or adds it to that of the other; returns out."""
        reading = self.read(modality)
        shares = self.steps.share(reading.query, reading.key, self.buffer('first'), self.heads)
        value, _ = self.read_value(modality)
        self.steps.weigh(value, shares, self.heads)
        own = self.own[modality]
        (own.write if modality in self._begun_by else own.add)(reading.own, out)
        return self.out[modality].add(value, out)

    def in_place(self, cells: Tensor, name: str) -> Tensor:
        """Returns the cells of a result if they can be written as they lie, else memory of a block."""
        return cells if self.full and cells.is_contiguous() else self.buffer(name)

    def _hidden_of_both(self) -> None:
        of_total = self.second.make(self.total, lambda: self.buffer('first'))
        of_difference = self.first.make(self.difference, lambda: self._memory('hidden', CAMERA))
        torch.sub(of_total, of_difference, out=self._memory('hidden', LIDAR))
        torch.add(of_total, of_difference, out=self._memory('hidden', CAMERA))

    def _hidden(self, modality: int) -> Tensor:
        hidden = self._memory('hidden', modality)
        if not self.split:
            self.first.write(self.cells[modality], hidden)
            self.second.add(self.cells[1 - modality], hidden)
        return hidden

    def _look_up(self, modality: int) -> Reading:
        own, hidden, activated, relation = self.cells[modality], None, None, None
        gap = self.difference
        if self.score is not None:
            hidden, relation = (self.kept[f'{name} {modality}'] for name in ('hidden', 'relation'))
            activated = self._memory('activated')
            self.steps.activate(hidden, activated)
            gap = torch.addcmul(own, own, relation, value=-1, out=self._memory('gap'))
        query, key = (self.kept[f'{name} {modality}'] for name in ('query', 'key'))
        return Reading(own, hidden, activated, relation, gap, query, key)

    def _project(self, by: Projection, cells: Tensor, name: str, modality: int) -> Tensor:
        full_name = f'{name} {modality}'
        if full_name in self.kept:
            return by.write(cells, self.kept[full_name])
        return by.make(cells, lambda: self.buffer(self.memory.get(name, full_name)))

    def _memory(self, name: str, modality: Optional[int] = None) -> Tensor:
        """Returns where a result goes: into what is kept, or into memory of a block."""
        full_name = f'{name} {modality}'
        if full_name in self.kept:
            return self.kept[full_name]
        return self.buffer(self.memory.get(name, full_name))
