"""Assigns one query to each object: the cheapest one-to-one assignment.

Source: Bai et al., TransFusion, CVPR 2022, section 3.5; the costs of mmdet3d's projects/BEVFusion
(utils.py). Here a pair whose cost is not finite is never chosen; there the training ends inside
scipy with "matrix contains invalid numeric entries".
"""
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from mmdet.models.task_modules.assigners.match_cost import FocalLossCost
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.boxes import common_area_m2

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
