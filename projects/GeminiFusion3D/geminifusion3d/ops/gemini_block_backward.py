"""Gradients of GeminiFusion on one block of cells."""
from typing import List, Mapping, Sequence

import torch
from torch import Tensor

from .gemini_block import ExchangeBlock, Reading
from .gemini_products import ProjectionGradient
from .gemini_weights import CAMERA, LIDAR, LayerWeights


class BlockGradients:
    """Sums the gradients of all weights over blocks, and returns those of the maps block by block.

    Args:
        weights: of the layer.
        parts: the most parts that a block has.
    """

    def __init__(self, weights: LayerWeights, parts: int) -> None:
        def total(weight: Tensor) -> ProjectionGradient:
            return ProjectionGradient(weight, parts)
        relation, readers = self.relation_weights, self.reader_weights = weights[:2]
        # In a sum the constants of all directions have one gradient.
        self._bias_of = {modality: min(readers) if weights.merged else modality for modality in readers}
        if relation is not None:
            self.first, self.second = total(relation.first), total(relation.second)
            self.score = total(relation.score)
        self.query, self.key, self.value, self.own, self.out = (
            {modality: total(getattr(weights, name)) for modality, weights in readers.items()}
            for name in ('query', 'key', 'value', 'own', 'out'))

    def add(self, block: ExchangeBlock, of_outs: Mapping[int, Tensor], of_cells: Sequence[Tensor]) -> None:
        """Adds a block's share, and writes the gradients of its cells without residuals outside `own`.

        Args:
            block: after `begin`.
            of_outs: gradient of each direction's result.
            of_cells: of camera and LiDAR, written.
        """
        of_difference = block.buffer('difference gradient').zero_()
        for modality in (CAMERA, LIDAR):
            if modality not in of_outs:
                of_cells[modality].zero_()
        for modality, of_out in of_outs.items():
            self._add_direction(block, modality, block.load(of_out, 'out gradient'), of_cells[modality],
                                of_difference)
        if self.relation_weights is not None:
            self._add_hidden(block, of_outs, of_cells, of_difference)
        of_cells[CAMERA].sub_(of_difference)
        of_cells[LIDAR].add_(of_difference)

    def in_order(self) -> List[Tensor]:
        """Returns the summed gradients in the order of the weights: relation, then each direction."""
        gradients: List[Tensor] = []
        if self.relation_weights is not None:
            hidden_bias = self.first.bias + self.second.bias  # only one of them has received any
            gradients += [self.first.weight.sum(0), self.second.weight.sum(0), hidden_bias,
                          self.score.weight.sum(0), self.score.bias]
        for modality in self.reader_weights:
            for total in (self.query, self.key, self.value):
                gradients += [total[modality].weight.sum(0), total[modality].bias]
            gradients += [self.own[modality].weight.sum(0), self.out[modality].weight.sum(0),
                          self.out[self._bias_of[modality]].bias.clone()]
        return [gradient.to(weight.dtype) for gradient, weight in zip(gradients, self._weights())]

    def _weights(self) -> List[Tensor]:
        return [*(self.relation_weights or ()),
                *(weight for reader in self.reader_weights.values() for weight in reader)]

    def _add_direction(self, block: ExchangeBlock, modality: int, of_out: Tensor, of_own: Tensor,
                       of_difference: Tensor) -> None:
        shape, reading, (value, weighed) = block.shape, block.read(modality), block.read_value(modality)
        # In the order in which the fewest blocks are alive at a time.
        block.own[modality].write_back(of_out, of_own)
        self.own[modality].add(of_out, reading.own, shape, bias=False)
        of_value = block.out[modality].make_back(of_out, lambda: block.buffer('value gradient'))
        # Where query and key are not kept, the gradient of each takes the place of the other.
        of_query, of_key = block.buffer('key'), block.buffer('query')
        block.steps.attend_backward(reading.query, reading.key, value, of_value, of_query, of_key,
                                    block.buffer('spare'), block.heads, weighed)
        self.out[modality].add(of_out, value, shape, bias=self._bias_of[modality] == modality)
        self.value[modality].add(of_value, block.difference, shape)
        block.value[modality].add_back(of_value, of_difference)
        self.query[modality].add(of_query, reading.own, shape)
        block.query[modality].add_back(of_query, of_own)
        self.key[modality].add(of_key, reading.gap, shape)
        if reading.relation is None:
            block.key[modality].add_back(of_key, of_difference)
        else:
            self._add_relation(block, modality, reading, of_key, of_own)

    def _add_relation(self, block: ExchangeBlock, modality: int, reading: Reading, of_key: Tensor,
                      of_own: Tensor) -> None:
        of_scores = block.minus_key[modality].make_back(of_key, lambda: block.buffer('spare'))
        block.steps.score_backward(reading.own, reading.relation, of_scores, of_own, block.shape.channel_dim)
        self.score.add(of_scores, reading.activated, block.shape)
        of_activated = block.score.make_back(of_scores, lambda: reading.gap)
        block.steps.activate_backward(of_activated, reading.hidden, block.buffer(f'hidden {modality}'))

    def _add_hidden(self, block: ExchangeBlock, of_outs: Mapping[int, Tensor], of_cells: Sequence[Tensor],
                    of_difference: Tensor) -> None:
        # Where the hidden layer was, `_add_relation` has left its gradient.
        of_hidden = {modality: block.buffer(f'hidden {modality}') for modality in of_outs}
        if block.split:
            of_total = torch.add(of_hidden[CAMERA], of_hidden[LIDAR], out=block.buffer('spare'))
            half = of_hidden[CAMERA].sub_(of_hidden[LIDAR])
            self.first.add(half, block.difference, block.shape, bias=False)
            self.second.add(of_total, block.total, block.shape)
            block.first.add_back(half, of_difference)
            of_sum = block.second.make_back(of_total, lambda: block.buffer('value gradient'))
            for of_own in of_cells:
                of_own.add_(of_sum)
            return
        for modality, gradient in of_hidden.items():
            self.first.add(gradient, block.cells[modality], block.shape)
            self.second.add(gradient, block.cells[1 - modality], block.shape, bias=False)
            block.first.add_back(gradient, of_cells[modality])
            block.second.add_back(gradient, of_cells[1 - modality])
