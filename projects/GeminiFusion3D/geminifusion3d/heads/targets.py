"""What the TransFusion head should have said, from its own predictions and the ground truth.

Source: Bai et al., TransFusion, CVPR 2022, section 3.5, heat map as in Yin et al., CenterPoint,
CVPR 2021. Here objects without a place on the grid are left out and a sample without objects is a
sample of background.
"""
from dataclasses import dataclass
from typing import NamedTuple, Sequence

import torch
from jaxtyping import Bool, Float, Int
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from mmengine.structures import InstanceData
from torch import Tensor

from ..nuscenes_facts import CLASS_NAMES
from ..geometry.bev_grid import BEVGrid
from .assigner import HungarianAssigner
from .box_coder import CODE_SIZE, BoxCoder


class Targets(NamedTuple):
    """Targets of a batch of B samples with N queries.

    Attributes:
        heatmap: Gaussian peaks, 1 in the cell of each object's centre.
        classes: one-hot; all zero for a query without an object.
        codes: box codes of assigned queries; NaN where nuScenes does not know a velocity.
        is_assigned: whether a query has an object.
        mean_iou: mean overlap of the assigned pairs, to watch.
    """

    heatmap: Float[Tensor, 'b k y x']
    classes: Float[Tensor, 'b n k']
    codes: Float[Tensor, 'b n 10']
    is_assigned: Bool[Tensor, 'b n']
    mean_iou: Float[Tensor, '']


@dataclass(frozen=True)
class TargetMaker:
    """Assigns queries and draws heat maps, on the CPU.

    Args:
        bev_grid: the grid of the heat map.
        assigner: pairs queries and objects.
        gaussian_overlap: overlap that sizes the Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
    """

    bev_grid: BEVGrid
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
            ground_truth: `bboxes_3d` and `labels_3d` of each sample.
        """
        boxes = BoxCoder(self.bev_grid).decode(codes).cpu()
        samples = [self._make_one(*sample) for sample in
                   zip(boxes, class_logits.float().cpu(), ground_truth)]
        heatmaps, classes, target_codes, are_assigned, ious = zip(*samples)
        all_ious = torch.cat(ious)
        stacked = [torch.stack(parts) for parts in (heatmaps, classes, target_codes, are_assigned)]
        return Targets(*(part.to(codes.device) for part in (
            *stacked, all_ious.sum() / max(len(all_ious), 1))))

    def _make_one(self, boxes: Float[Tensor, 'n 9'], class_logits: Float[Tensor, 'n k'],
                  ground_truth: InstanceData) -> 'tuple[Tensor, ...]':
        object_boxes, object_classes = self._objects_on_grid(ground_truth)
        pairs = self.assigner.assign(boxes, class_logits, object_boxes, object_classes)
        classes = torch.zeros_like(class_logits)
        classes[pairs.queries, object_classes[pairs.objects]] = 1
        codes = boxes.new_zeros(len(boxes), CODE_SIZE)
        codes[pairs.queries] = BoxCoder(self.bev_grid).encode(object_boxes)[pairs.objects]
        is_assigned = torch.zeros(len(boxes), dtype=torch.bool)
        is_assigned[pairs.queries] = True
        return (self.draw_heatmap(object_boxes, object_classes), classes, codes, is_assigned,
                pairs.ious)

    def _objects_on_grid(self, ground_truth: InstanceData
                         ) -> 'tuple[Float[Tensor, "m 9"], Int[Tensor, " m"]]':
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
        """Returns a heat map a class with a Gaussian for each box.

        Args:
            boxes: on the CPU, with their centres on the grid.
            classes: of the boxes.
        """
        heatmap = boxes.new_zeros(len(CLASS_NAMES), *self.bev_grid.shape_yx)
        cells_xy = BoxCoder(self.bev_grid).encode(boxes)[:, :2].floor().int()
        sizes_lw_cells = boxes[:, 3:5] / self.bev_grid.cell_m
        for cell_xy, size_lw, index in zip(cells_xy, sizes_lw_cells, classes.tolist()):
            radius = int(gaussian_radius((size_lw[0], size_lw[1]), min_overlap=self.gaussian_overlap))
            draw_heatmap_gaussian(heatmap[index], cell_xy, max(self.min_radius_cells, radius))
        return heatmap
