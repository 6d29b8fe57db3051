"""CenterPoint's training targets of all samples and tasks at once, on the CPU, with one copy to the device.

Source: mmdet3d 1.4.0 CenterHead.get_targets, to which the results are equal bit by bit. There each box is
looked at alone, on the device of the ground truth: about 13 waits for a GPU per box.
"""
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from mmdet3d.models.utils.gaussian import gaussian_2d
from mmengine.structures import InstanceData
from torch import Tensor

from ..geometry.bev_grid import BEVGrid

Sections = List[Tuple[torch.dtype, Tuple[int, ...]]]
# Offset from the cell (2), z of the gravity centre, log sizes (3), sin and cos of the yaw, velocity (2).
CODE_SIZE = 10


class CenterTargets(NamedTuple):
    """Targets of B samples, one tensor per task in each list.

    Attributes:
        heatmaps: (B, classes of the task, Y, X) Gaussian peaks.
        codes: (B, most objects, 10) box codes, zero in places without an object.
        cells: (B, most objects) int64 flat cell of each object.
        are_objects: (B, most objects) uint8, 1 in places with an object.
        num_peaks: number of cells with a peak of 1, at least 1.
    """

    heatmaps: List[Float[Tensor, 'b k y x']]
    codes: List[Float[Tensor, 'b m 10']]
    cells: List[Int[Tensor, 'b m']]
    are_objects: List[Int[Tensor, 'b m']]
    num_peaks: List[int]


@dataclass(frozen=True)
class CenterTargetMaker:
    """Turns ground truth into targets.

    Args:
        bev_grid: the grid of the heat maps.
        classes_per_task: number of classes of each task, in the order of the labels.
        gaussian_overlap: overlap that sizes the Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
        max_objects: places of a task in a sample; objects beyond are left out.
    """

    bev_grid: BEVGrid
    classes_per_task: Tuple[int, ...]
    gaussian_overlap: float
    min_radius_cells: int
    max_objects: int

    @torch.no_grad()
    def make(self, ground_truth: Sequence[InstanceData], device: torch.device) -> CenterTargets:
        """Returns the targets.

        Args:
            ground_truth: per sample `bboxes_3d`, bottom-centre LiDAR boxes of nine columns, and `labels_3d`.
            device: where the targets are needed.

        Raises:
            ValueError: if the boxes have no velocity.
        """
        boxes, labels, sample = _tables(ground_truth)
        task_of_class = np.repeat(np.arange(len(self.classes_per_task)), self.classes_per_task)
        first_class = np.cumsum(self.classes_per_task) - self.classes_per_task
        # The places of a task are filled class by class, inside a class in the order of the ground truth.
        order = np.lexsort((labels, sample))
        # Labels below zero (ignored) and beyond the classes belong to no task.
        order = order[(labels[order] >= 0) & (labels[order] < len(task_of_class))]
        boxes, labels, sample = boxes[order], labels[order], sample[order]
        task = task_of_class[labels]
        place = _count_within(sample * len(self.classes_per_task) + task)
        encoded = self._encode(boxes)
        rows = np.flatnonzero(encoded.is_usable & (place < self.max_objects))
        sections = self._sections(len(ground_truth))
        memory = torch.zeros(sum(prod(shape) * dtype.itemsize for dtype, shape in sections),
                             dtype=torch.uint8, pin_memory=device.type == 'cuda')
        cells, codes, are_objects, *heatmaps = (view.numpy() for view in _views(memory, sections))
        places = task[rows], sample[rows], place[rows]
        cells[places] = encoded.cell_xy[rows] @ [1, self.bev_grid.n_x]
        codes[places] = encoded.codes[rows]
        are_objects[places] = 1
        class_in_task = labels - first_class[task]
        drawn = (task, sample, class_in_task, encoded.cell_xy[:, 0], encoded.cell_xy[:, 1], encoded.radii)
        for task_, sample_, class_, column, row, radius in zip(*(values[rows].tolist() for values in drawn)):
            _draw(heatmaps[task_][sample_, class_], column, row, radius)
        # Counted here, where nothing waits for it.
        num_peaks = [max(int(np.count_nonzero(heatmap == 1)), 1) for heatmap in heatmaps]
        on_device = _views(memory.to(device, non_blocking=True), sections)
        return CenterTargets(
            heatmaps=on_device[3:], codes=list(on_device[1].unbind()), cells=list(on_device[0].unbind()),
            are_objects=list(on_device[2].unbind()), num_peaks=num_peaks)

    def _sections(self, samples: int) -> Sections:
        """Returns dtype and shape of cells, codes, are_objects and the heat maps, as they lie in memory."""
        places = len(self.classes_per_task), samples, self.max_objects
        return [(torch.int64, places), (torch.float32, (*places, CODE_SIZE)), (torch.uint8, places),
                *((torch.float32, (samples, count, *self.bev_grid.shape_yx))
                  for count in self.classes_per_task)]

    def _encode(self, boxes: Float[Tensor, 'n 9']) -> '_Encoded':
        cell_m = boxes.new_tensor(self.bev_grid.cell_m)
        centre_cells = (boxes[:, :2] - boxes.new_tensor(self.bev_grid.range_m[:2])) / cell_m
        # Cut towards zero as mmdet3d does: a centre up to one cell outside counts as in the first cell.
        cell_xy = centre_cells.trunc()
        bottom_m, height_m, yaw_rad = boxes[:, 2:3], boxes[:, 5:6], boxes[:, 6:7]
        codes = torch.cat([centre_cells - cell_xy, bottom_m + height_m * 0.5, boxes[:, 3:6].log(),
                           yaw_rad.sin(), yaw_rad.cos(), boxes[:, 7:9]], dim=1)
        size_cells = boxes[:, 3:5] / cell_m
        radii = _gaussian_radius(size_cells[:, 1], size_cells[:, 0], self.gaussian_overlap)
        n_xy = cell_xy.new_tensor([self.bev_grid.n_x, self.bev_grid.n_y])
        is_usable = ((size_cells > 0).all(1) & radii.isfinite() & (cell_xy >= 0).all(1)
                     & (cell_xy < n_xy).all(1))
        # Only a finite number converts to an integer.
        cell_xy[~is_usable], radii[~is_usable] = 0, 0
        return _Encoded(codes.numpy(), cell_xy.long().numpy(),
                        radii.long().clamp(min=self.min_radius_cells).numpy(), is_usable.numpy())


class _Encoded(NamedTuple):
    """Per box its code, its cell (column, row), the radius of its Gaussian and whether it is on the grid."""

    codes: Float[np.ndarray, 'n 10']
    cell_xy: Int[np.ndarray, 'n 2']
    radii: Int[np.ndarray, ' n']
    is_usable: Bool[np.ndarray, ' n']


def _tables(ground_truth: Sequence[InstanceData]
            ) -> Tuple[Float[Tensor, 'n 9'], Int[np.ndarray, ' n'], Int[np.ndarray, ' n']]:
    """Returns boxes, labels and samples of all objects of a batch on the CPU, after one wait for a device."""
    rows = torch.cat([torch.cat([found.bboxes_3d.tensor.detach().float(),
                                 found.labels_3d.to(found.bboxes_3d.tensor).unsqueeze(1)], dim=1)
                      for found in ground_truth]).cpu()
    if rows.shape[1] != 10:
        raise ValueError(f'got ground truth of {rows.shape[1] - 1} columns, expected 9 (x, y, z, l, w, h, '
                         'yaw, vx, vy); let the dataset load velocities')
    sample = np.arange(len(ground_truth)).repeat([len(found.labels_3d) for found in ground_truth])
    return rows[:, :9], rows[:, 9].long().numpy(), sample


def _count_within(group: Int[np.ndarray, ' n']) -> Int[np.ndarray, ' n']:
    """Returns 0, 1, ... inside each run of equal, ascending groups."""
    return np.arange(len(group)) - np.searchsorted(group, group)


def _views(memory: UInt8[Tensor, ' bytes'], sections: Sections) -> List[Tensor]:
    """Returns bytes as tensors, one section after the other."""
    views, begin = [], 0
    for dtype, shape in sections:
        end = begin + prod(shape) * dtype.itemsize
        views.append(memory[begin:end].view(dtype).view(shape))
        begin = end
    return views


def _gaussian_radius(height: Float[Tensor, ' n'], width: Float[Tensor, ' n'], overlap: float
                     ) -> Float[Tensor, ' n']:
    """Returns mmdet3d's gaussian_radius of many boxes: the least of its three radii, rounded as there."""
    around, area = height + width, width * height
    radii = []
    for a, b, c in ((1.0, around, area * (1 - overlap) / (1 + overlap)),
                    (4.0, 2 * around, (1 - overlap) * width * height),
                    (4 * overlap, -2 * overlap * around, (overlap - 1) * width * height)):
        radii.append((b + (b ** 2 - 4 * a * c).sqrt()) / 2)
    return torch.stack(radii).amin(0)


@lru_cache(maxsize=256)
def _gaussian(radius: int) -> Float[np.ndarray, 'side side']:
    side = 2 * radius + 1
    return gaussian_2d((side, side), sigma=side / 6).astype(np.float32)


def _draw(heatmap: Float[np.ndarray, 'y x'], column: int, row: int, radius: int) -> None:
    """Raises a heat map to a Gaussian around a cell, as mmdet3d's draw_heatmap_gaussian."""
    top, left = max(row - radius, 0), max(column - radius, 0)
    part = heatmap[top:row + radius + 1, left:column + radius + 1]
    gaussian = _gaussian(radius)[radius - row + top:, radius - column + left:]
    np.maximum(part, gaussian[:part.shape[0], :part.shape[1]], out=part)
