"""The TransFusion head's training targets, from its own predictions and the ground truth.

Source: Bai et al., TransFusion, CVPR 2022, section 3.5, heat map as in Yin et al., CenterPoint,
CVPR 2021. Here objects without a place on the grid are left out and a sample without objects is a
sample of background.
"""
from dataclasses import dataclass
from typing import NamedTuple, Sequence, Tuple

import torch
from jaxtyping import Bool, Float, Int
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from mmengine.structures import InstanceData
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..ops.device_constants import to_device
from .assigner import HungarianAssigner
from .box_coder import CODE_SIZE, BoxCoder


class Targets(NamedTuple):
    """Targets of a batch of B samples with N queries.

    Attributes:
        heatmap: Gaussian peaks, 1 in the cell of each object's centre.
        classes: one-hot; all zero for a query without an object.
        codes: box codes of assigned queries; NaN where nuScenes does not know a velocity.
        is_assigned: whether a query has an object.
        mean_iou: mean overlap of the assigned pairs, for the log.
        num_assigned: number of assigned queries, at least 1.
        num_peaks: number of cells with a peak of 1 over all classes, at least 1.
    """

    heatmap: Float[Tensor, 'b k y x']
    classes: Float[Tensor, 'b n k']
    codes: Float[Tensor, 'b n 10']
    is_assigned: Bool[Tensor, 'b n']
    mean_iou: Float[Tensor, '']
    num_assigned: int
    num_peaks: int


@dataclass(frozen=True)
class TargetMaker:
    """Assigns queries and draws heat maps, on the CPU.

    Args:
        bev_grid: the grid of the heat map.
        num_classes: number of classes.
        assigner: pairs queries and objects.
        gaussian_overlap: overlap that sizes the Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
    """

    bev_grid: BEVGrid
    num_classes: int
    assigner: HungarianAssigner
    gaussian_overlap: float
    min_radius_cells: int

    @torch.no_grad()
    def make(self, codes: Float[Tensor, 'b n 10'], class_logits: Float[Tensor, 'b n k'],
             ground_truth: Sequence[InstanceData]) -> Targets:
        """Returns the targets on the device of the predictions.

        Args:
            codes: predicted box codes.
            class_logits: predicted logits.
            ground_truth: per sample `bboxes_3d`, bottom-centre LiDAR boxes of nine columns, and `labels_3d`.
        """
        boxes = BoxCoder(self.bev_grid).decode(codes).cpu()
        samples = [self._make_one(*sample) for sample in
                   zip(boxes, class_logits.float().cpu(), ground_truth)]
        heatmap, classes, target_codes, is_assigned = (
            torch.stack([getattr(sample, name) for sample in samples])
            for name in ('heatmap', 'classes', 'codes', 'is_assigned'))
        ious = torch.cat([sample.ious for sample in samples])
        mean_iou = ious.sum() / max(len(ious), 1)
        # The counts are taken here, where nothing waits for them.
        return Targets(
            heatmap=to_device(heatmap, codes.device), classes=to_device(classes, codes.device),
            codes=to_device(target_codes, codes.device),
            is_assigned=to_device(is_assigned, codes.device), mean_iou=to_device(mean_iou, codes.device),
            num_assigned=max(int(is_assigned.sum()), 1), num_peaks=max(int(heatmap.eq(1).sum()), 1))

    def _make_one(self, boxes: Float[Tensor, 'n 9'], class_logits: Float[Tensor, 'n k'],
                  ground_truth: InstanceData) -> '_SampleTargets':
        object_boxes, object_classes = self._objects_on_grid(ground_truth)
        pairs = self.assigner.assign(boxes, class_logits, object_boxes, object_classes)
        classes = torch.zeros_like(class_logits)
        classes[pairs.queries, object_classes[pairs.objects]] = 1
        codes = boxes.new_zeros(len(boxes), CODE_SIZE)
        codes[pairs.queries] = BoxCoder(self.bev_grid).encode(object_boxes)[pairs.objects]
        is_assigned = torch.zeros(len(boxes), dtype=torch.bool)
        is_assigned[pairs.queries] = True
        return _SampleTargets(self.draw_heatmap(object_boxes, object_classes), classes, codes, is_assigned,
                              pairs.ious)

    def _objects_on_grid(self, ground_truth: InstanceData
                         ) -> Tuple[Float[Tensor, 'm 9'], Int[Tensor, ' m']]:
        """Returns boxes and classes on the CPU, without boxes that have no place or no size."""
        boxes = ground_truth.bboxes_3d.tensor.detach().float().cpu()
        if boxes.shape[1] != 9:
            raise ValueError(f'got ground truth of {boxes.shape[1]} columns, expected 9 (x, y, z, l, w, '
                             'h, yaw, vx, vy); let the dataset load velocities')
        centre_m = torch.cat([boxes[:, :2], boxes.new_full((len(boxes), 1), self.bev_grid.range_m[2])],
                             dim=1)
        is_usable = (boxes[:, :7].isfinite().all(1) & (boxes[:, 3:6] > 0).all(1)
                     & (self.bev_grid.cell_of(centre_m) >= 0))
        return boxes[is_usable], ground_truth.labels_3d.cpu().long()[is_usable]

    def draw_heatmap(self, boxes: Float[Tensor, 'm 9'], classes: Int[Tensor, ' m']
                     ) -> Float[Tensor, 'k y x']:
        """Returns a heat map per class with a Gaussian for each box.

        Args:
            boxes: bottom-centre boxes on the CPU, with their centres on the grid.
            classes: classes of the boxes.
        """
        heatmap = boxes.new_zeros(self.num_classes, *self.bev_grid.shape_yx)
        cells_xy = BoxCoder(self.bev_grid).encode(boxes)[:, :2].floor().int()
        sizes_lw_cells = boxes[:, 3:5] / self.bev_grid.cell_m
        for cell_xy, size_lw, index in zip(cells_xy, sizes_lw_cells, classes.tolist()):
            radius = int(gaussian_radius((size_lw[0], size_lw[1]), min_overlap=self.gaussian_overlap))
            draw_heatmap_gaussian(heatmap[index], cell_xy, max(self.min_radius_cells, radius))
        return heatmap


class _SampleTargets(NamedTuple):
    """Targets of one sample as in Targets, and the overlaps of its assigned pairs."""

    heatmap: Float[Tensor, 'k y x']
    classes: Float[Tensor, 'n k']
    codes: Float[Tensor, 'n 10']
    is_assigned: Bool[Tensor, ' n']
    ious: Float[Tensor, ' m']
