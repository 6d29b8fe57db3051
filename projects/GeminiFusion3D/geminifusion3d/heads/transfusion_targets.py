"""The TransFusion head's training targets, from its own predictions and the ground truth.

Source: Bai et al., TransFusion, CVPR 2022, section 3.5, heat map as in Yin et al., CenterPoint,
CVPR 2021. Here objects without a place on the grid are left out and a sample without objects is a
sample of background.

Assigns one query to each object: the cheapest one-to-one assignment.

Source: Bai et al., TransFusion, CVPR 2022, section 3.5; the costs of mmdet3d's projects/BEVFusion
(utils.py). Here a pair whose cost is not finite is never chosen; there the training ends inside
scipy with "matrix contains invalid numeric entries".

Converts between boxes and the ten numbers that a query regresses.

Source: Bai et al., TransFusion, CVPR 2022; the code of mmdet3d's projects/BEVFusion (utils.py). Here
both ways are functions of the grid, and neither changes what it is given.
"""
from dataclasses import dataclass
from typing import NamedTuple, Sequence, Tuple

import torch
from jaxtyping import Bool, Float, Int
from mmdet3d.models.utils import draw_heatmap_gaussian, gaussian_radius
from mmdet.models.task_modules.assigners.match_cost import FocalLossCost
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.boxes import common_area_m2
from ..ops.device_constants import constant_like, to_device

CODE_SIZE = 10


@dataclass(frozen=True)
class BoxCoder:
    """Converts bottom-centre boxes (x, y, z, l, w, h, yaw, vx, vy) to codes and back.

    A code is x and y in cells from the grid's corner, z of the gravity centre in metres, log l, log w, log h,
    sin yaw, cos yaw, vx, vy.

    Args:
        bev_grid: where cells count from, and how large they are.
    """

    bev_grid: BEVGrid

    def encode(self, boxes: Float[Tensor, '*n 9']) -> Float[Tensor, '*n 10']:
        """Returns the codes of boxes; an unknown (NaN) velocity stays NaN.

        Args:
            boxes: bottom-centre boxes.
        """
        centre_xy_cells = (boxes[..., :2] - self._corner_xy_m(boxes)) / self.bev_grid.cell_m
        gravity_z_m = boxes[..., 2:3] + boxes[..., 5:6] / 2
        yaw_rad = boxes[..., 6:7]
        return torch.cat([centre_xy_cells, gravity_z_m, boxes[..., 3:6].log(), yaw_rad.sin(),
                          yaw_rad.cos(), boxes[..., 7:9]], dim=-1)

    def decode(self, codes: Float[Tensor, '*n 10']) -> Float[Tensor, '*n 9']:
        """Returns the bottom-centre boxes of codes, in float32.

        Args:
            codes: box codes.
        """
        codes = codes.float()
        centre_xy_m = codes[..., :2] * self.bev_grid.cell_m + self._corner_xy_m(codes)
        size_lwh_m = codes[..., 3:6].exp()
        bottom_z_m = codes[..., 2:3] - size_lwh_m[..., 2:3] / 2
        yaw_rad = torch.atan2(codes[..., 6:7], codes[..., 7:8])
        return torch.cat([centre_xy_m, bottom_z_m, size_lwh_m, yaw_rad, codes[..., 8:10]], dim=-1)

    def _corner_xy_m(self, like: Float[Tensor, '...']) -> Float[Tensor, ' 2']:
        return constant_like(self.bev_grid.range_m[:2], like)


# Far above any finite cost, far below where float64 sums of it lose the small ones.
_UNAFFORDABLE = 1e6
# Beyond this a prediction overlaps nothing, and the clipping of polygons would overflow.
_MAX_EXTENT_M = 1e4
_MIN_VOLUME_M3 = 1e-8


class Assignment(NamedTuple):
    """Pairs of query and object, one entry per pair.

    Attributes:
        queries: (M,) index of the query.
        objects: (M,) index of the object.
        ious: (M,) their 3D overlap.
    """

    queries: Int[Tensor, ' m']
    objects: Int[Tensor, ' m']
    ious: Float[Tensor, ' m']


@dataclass(frozen=True)
class HungarianAssigner:
    """Assigns by costs of class, place and overlap.

    Args:
        bev_grid: its extent normalises distances.
        class_weight: of the focal cost of the object's class.
        centre_weight: of the L1 distance of the centres as a share of the extent.
        iou_weight: of the rotated 3D overlap.
    """

    bev_grid: BEVGrid
    class_weight: float
    centre_weight: float
    iou_weight: float

    def assign(self, boxes: Float[Tensor, 'n 9'], class_logits: Float[Tensor, 'n k'],
               object_boxes: Float[Tensor, 'm 9'], object_classes: Int[Tensor, ' m']) -> Assignment:
        """Assigns min(n, m) pairs; all tensors on the CPU, where the solver and the overlaps run.

        Args:
            boxes: predicted bottom-centre boxes.
            class_logits: predicted logits.
            object_boxes: bottom-centre boxes of the ground truth.
            object_classes: classes of the ground truth.
        """
        ious = rotated_iou_3d(boxes, object_boxes)
        extent_m = boxes.new_tensor(self.bev_grid.extent_m)
        distances = torch.cdist(boxes[:, :2] / extent_m, object_boxes[:, :2] / extent_m, p=1)
        focal_cost = FocalLossCost(weight=self.class_weight)(
            InstanceData(scores=class_logits), InstanceData(labels=object_classes))
        costs = focal_cost + self.centre_weight * distances - self.iou_weight * ious
        costs = costs.where(costs.isfinite(), costs.new_tensor(_UNAFFORDABLE))
        queries, objects = (torch.from_numpy(index) for index in linear_sum_assignment(costs.numpy()))
        return Assignment(queries=queries, objects=objects, ious=ious[queries, objects])


def rotated_iou_3d(boxes: Float[Tensor, 'n 9'], others: Float[Tensor, 'm 9']) -> Float[Tensor, 'n m']:
    """Returns the overlaps of boxes on the CPU; those of a box that is not finite are 0.

    mmdet3d clips the polygons of all n x m pairs; here only of those whose circumscribed circles meet.

    Args:
        boxes: bottom-centre boxes.
        others: bottom-centre boxes in the same frame.
    """
    ious = boxes.new_zeros(len(boxes), len(others))
    is_sane = (boxes[:, :7].abs() < _MAX_EXTENT_M).all(1)
    reach_m, others_reach_m = boxes[:, 3:5].norm(dim=1) / 2, others[:, 3:5].norm(dim=1) / 2
    is_near = torch.cdist(boxes[:, :2], others[:, :2]) <= reach_m[:, None] + others_reach_m
    rows, columns = (is_near & is_sane[:, None]).nonzero(as_tuple=True)
    ious[rows, columns] = _aligned_iou_3d(boxes[rows], others[columns])
    return ious


def _aligned_iou_3d(first: Float[Tensor, 'p 9'], second: Float[Tensor, 'p 9']) -> Float[Tensor, ' p']:
    shared_m2 = common_area_m2(*(box[:, [0, 1, 3, 4, 6]] for box in (first, second)))
    top_m = torch.minimum(first[:, 2] + first[:, 5], second[:, 2] + second[:, 5])
    overlap_m = (top_m - torch.maximum(first[:, 2], second[:, 2])).clamp(min=0)
    overlap_m3 = shared_m2 * overlap_m
    union_m3 = first[:, 3:6].prod(1) + second[:, 3:6].prod(1) - overlap_m3
    return overlap_m3 / union_m3.clamp(min=_MIN_VOLUME_M3)


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
        samples = [self._make_one(*sample) for sample in zip(boxes, class_logits.float().cpu(), ground_truth)]
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

    def _objects_on_grid(self, ground_truth: InstanceData) -> Tuple[Float[Tensor, 'm 9'], Int[Tensor, ' m']]:
        """Returns boxes and classes on the CPU, without boxes that have no place or no size."""
        boxes = ground_truth.bboxes_3d.tensor.detach().float().cpu()
        if boxes.shape[1] != 9:
            raise ValueError(f'got ground truth of {boxes.shape[1]} columns, expected 9 (x, y, z, l, w, '
                             'h, yaw, vx, vy); let the dataset load velocities')
        centre_m = torch.cat([boxes[:, :2], boxes.new_full((len(boxes), 1), self.bev_grid.range_m[2])], dim=1)
        is_usable = (boxes[:, :7].isfinite().all(1) & (boxes[:, 3:6] > 0).all(1)
                     & (self.bev_grid.cell_of(centre_m) >= 0))
        return boxes[is_usable], ground_truth.labels_3d.cpu().long()[is_usable]

    def draw_heatmap(self, boxes: Float[Tensor, 'm 9'], classes: Int[Tensor, ' m']) -> Float[Tensor, 'k y x']:
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
