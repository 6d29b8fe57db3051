"""Dense prediction on the fused map: for every cell of a grid, the probability of each class.

Source: MIT's BEVFusion (Liu et al., ICRA 2023), mmdet3d/models/heads/segm/vanilla.py: the map is resampled
to the cells of the labels, two 3x3 convolutions and a linear one follow, each class is a yes or no of its
own. The delta: cells of unknown label neither cost nor count, and labels of another grid or other classes
are refused.
"""
from typing import Any, Dict, List, Mapping, Optional, Sequence

import torch
from jaxtyping import Bool, Float, UInt8
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.bev_grid import UNKNOWN, BEVGrid
from ..geometry.resample_bev import ResampleBEV

LOSSES = ('focal', 'xent')


@MODELS.register_module()
class GeminiSegmentationHead(BaseModule):
    """Segments the fused map, alone or beside a detection head.

    Labels come with each sample: `gt_cells`, (K, Y, X) of 0, 1 and 255 (unknown), and in its metainfo the
    `cell_grid` and the `cell_classes` that they belong to.

    Args:
        bev_grid: the grid of the feature map.
        cell_grid: `range_m` and `cell_m` of the grid of the labels, within bev_grid.
        in_channels: channels of the feature map.
        classes: names, in the order of the labels.
        channels: of the two convolutions; as many as come in where None.
        loss: 'focal' (exponent 2, no class weight) or 'xent', binary cross-entropy; mean over cells, sum
            over classes.
        loss_weight: of every class.

    Raises:
        ValueError: if the loss is none of the two, there are no classes, or cells lie outside bev_grid.
    """

    def __init__(self, *, bev_grid: BEVGrid, cell_grid: Mapping[str, Any], in_channels: int,
                 classes: Sequence[str], channels: Optional[int] = None, loss: str = 'focal',
                 loss_weight: float = 1.0) -> None:
        super().__init__()
        if loss not in LOSSES or not classes:
            raise ValueError(f'got loss={loss!r} and {len(classes)} classes; expected one of '
                             f'{", ".join(LOSSES)} and at least one class')
        self.bev_grid, self.cell_grid = bev_grid, BEVGrid.from_config(cell_grid)
        _check_inside(self.cell_grid, bev_grid)
        self.classes, self.loss_name, self.loss_weight = tuple(classes), loss, loss_weight
        width = channels or in_channels
        self.resample = ResampleBEV(bev_grid, self.cell_grid)
        # Their names of the parameters: MIT's weights fit once transposed.
        self.classifier = nn.Sequential(
            nn.Conv2d(in_channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(True),
            nn.Conv2d(width, len(classes), 1))

    def forward(self, features: Sequence[Float[Tensor, 'b c y_bev x_bev']]) -> Float[Tensor, 'b k y x']:
        """Returns the logits of every cell, in float32.

        Args:
            features: one map on bev_grid.

        Raises:
            ValueError: if it is not one map on the grid.
        """
        bev = self.bev_grid.only_map(features, 'GeminiSegmentationHead')
        logits: Tensor = self.classifier(self.resample(bev))
        return logits.float()

    def loss(self, features: Sequence[Float[Tensor, 'b c y_bev x_bev']], samples: List[Det3DDataSample]
             ) -> Dict[str, Float[Tensor, '']]:
        """Returns the loss of every class.

        Args:
            features: one map on bev_grid.
            samples: with `gt_cells`.

        Raises:
            ValueError: if a sample has no labels, or those of another grid or of other classes.
        """
        for sample in samples:
            self._check_labels(sample)
        logits = self(features)
        labels = torch.stack([sample.gt_cells for sample in samples]).to(logits.device)
        costs = cell_costs(logits, labels, gamma=2.0 if self.loss_name == 'focal' else 0.0)
        is_known = labels != UNKNOWN
        counts = is_known.sum(dim=(0, 2, 3)).clamp(min=1)
        means = self.loss_weight * costs.sum(dim=(0, 2, 3)) / counts
        return {f'{name}.loss_{self.loss_name}': mean for name, mean in zip(self.classes, means.unbind())}

    def predict(self, features: Sequence[Float[Tensor, 'b c y_bev x_bev']], samples: List[Det3DDataSample]
                ) -> List[Float[Tensor, 'k y x']]:
        """Returns the probability of every class in every cell, per sample.

        Args:
            features: one map on bev_grid.
            samples: get the head's `cell_grid` and `cell_classes` in their metainfo.
        """
        for sample in samples:
            if 'gt_cells' in sample:
                self._check_labels(sample)
            sample.set_metainfo(dict(cell_grid=self.cell_grid, cell_classes=self.classes))
        return list(self(features).sigmoid())

    def _check_labels(self, sample: Det3DDataSample) -> None:
        if 'gt_cells' not in sample:
            raise ValueError('a sample came without gt_cells; put GeminiLoadMapCells or GeminiLoadCellFile '
                             'behind the augmentation of the scene, and pack with GeminiPackInputs')
        of_labels = sample.metainfo['cell_grid'], tuple(sample.metainfo['cell_classes'])
        if of_labels != (self.cell_grid, self.classes):
            raise ValueError(f'the labels are of {of_labels[0]} with the classes {list(of_labels[1])}, '
                             f'seg_head expects {self.cell_grid} with {list(self.classes)}; give both one '
                             'cell_grid and one list of classes')


def cell_costs(logits: Float[Tensor, 'b k y x'], labels: UInt8[Tensor, 'b k y x'], *, gamma: float
               ) -> Float[Tensor, 'b k y x']:
    """Returns the sigmoid focal cost of every cell, (1 - p_true)^gamma * -log p_true; 0 where unknown.

    Args:
        logits: of the classes.
        labels: 0, 1, or 255 where unknown.
        gamma: 0 is binary cross-entropy.
    """
    is_known: Bool[Tensor, 'b k y x'] = labels != UNKNOWN
    truth = (labels * is_known).to(logits.dtype)
    cost = F.binary_cross_entropy_with_logits(logits, truth, reduction='none')
    if gamma:
        score = logits.sigmoid()
        cost = cost * (1 - score * truth - (1 - score) * (1 - truth)) ** gamma
    return cost * is_known


def _check_inside(cells: BEVGrid, bev: BEVGrid) -> None:
    lows, highs = zip(cells.range_m[:2], bev.range_m[:2]), zip(cells.range_m[3:5], bev.range_m[3:5])
    if any(cell < low - 1e-6 for cell, low in lows) or any(cell > high + 1e-6 for cell, high in highs):
        raise ValueError(f'seg_head.cell_grid covers {cells.range_m}, the model\'s bev_grid only '
                         f'{bev.range_m} (metres, lowest corner first); cells that no feature reaches cannot '
                         'be labelled: make cell_grid smaller or bev_grid larger')
