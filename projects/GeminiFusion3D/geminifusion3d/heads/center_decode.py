"""Decodes CenterPoint's maps into boxes, all tasks and samples at once.

Source: mmdet3d 1.4.0 CenterPointBBoxCoder.decode and CenterHead.predict_by_feat. Here peaks are chosen before
the sigmoid, only their values are gathered, everything keeps a fixed size on the device, and one copy brings
it to the CPU, where non-maximum suppression runs. mmdet3d copies once per task and sample, and each of its
masks waits for the device as well.
"""
from typing import Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from mmdet3d.models.layers import circle_nms
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.boxes import common_area_m2

BOX_NUMBERS = 9
# Columns behind the box.
SCORE, LABEL, IS_KEPT = 9, 10, 11
# Longer boxes overlap nothing: the clipping of their polygons would overflow.
MAX_EXTENT_M = 1e4
# Takes the rows of one task, best first, and the task's number; returns the rows that remain.
Suppression = Callable[[Float[np.ndarray, 'n 12'], int], Int[np.ndarray, ' m']]


class Detections(NamedTuple):
    """The boxes of one sample, task after task, best first within a task.

    Attributes:
        boxes: bottom-centre boxes: x, y, z in metres, l, w, h, yaw, vx, vy.
        scores: confidences.
        labels: int32 indices into all classes.
    """

    boxes: Float[Tensor, 'n 9']
    scores: Float[Tensor, ' n']
    labels: Int[Tensor, ' n']


class Peaks(NamedTuple):
    """The highest places of a task's heat maps, best first.

    Attributes:
        logits: heights.
        classes: index of the class in the task.
        cells: flat cells.
    """

    logits: Float[Tensor, 'b k']
    classes: Int[Tensor, 'b k']
    cells: Int[Tensor, 'b k']


def decode_tasks(task_maps: Sequence[Dict[str, Float[Tensor, 'b _ y x']]], *, bev_grid: BEVGrid,
                 max_boxes: int, limit_m: Float[Tensor, ' 6'], score_threshold: float
                 ) -> Float[Tensor, 'b t k 12']:
    """Returns the best peaks of every task as gravity-centre boxes, score, label and whether to keep them.

    Args:
        task_maps: per task its raw maps (B, C, Y, X) by name.
        bev_grid: the grid of the maps.
        max_boxes: K, peaks per task.
        limit_m: x, y, z between which a gravity centre must lie: three low, three high.
        score_threshold: a score must exceed it.
    """
    decoded, first_label = [], 0
    for maps in task_maps:
        decoded.append(_decode(maps, bev_grid, max_boxes, first_label))
        first_label += maps['heatmap'].shape[1]
    peaks = torch.stack(decoded, dim=1)
    centres = peaks[..., :3]
    is_kept = ((centres >= limit_m[:3]) & (centres <= limit_m[3:])).all(-1)
    is_kept &= peaks[..., SCORE] > score_threshold
    return torch.cat([peaks, is_kept.unsqueeze(-1).to(peaks.dtype)], dim=-1)


def suppress(peaks: Float[Tensor, 'b t k 12'], suppression: Suppression, *, boxes_per_task: int
             ) -> List[Detections]:
    """Drops what is not to keep and the weaker of two close boxes of a task; returns the samples on the CPU.

    Args:
        peaks: as `decode_tasks` returns them.
        suppression: a CircleSuppression or RotatedSuppression.
        boxes_per_task: most boxes of a task that remain.
    """
    samples = []
    for tasks in peaks.detach().cpu().numpy():
        remaining = []
        for index, task in enumerate(tasks):
            rows = task[task[:, IS_KEPT] > 0]
            remaining.append(rows[suppression(rows, index)[:boxes_per_task]])
        chosen = np.concatenate(remaining)
        # From the gravity centre to the bottom.
        chosen[:, 2] -= chosen[:, 5] * 0.5
        rows = torch.from_numpy(chosen)
        samples.append(Detections(rows[:, :BOX_NUMBERS], rows[:, SCORE], rows[:, LABEL].int()))
    return samples


class CircleSuppression:
    """Drops the weaker of two boxes of a task whose centres are close.

    Args:
        radii_m: per task, the distance up to which the weaker box goes.
    """

    def __init__(self, radii_m: Sequence[float]) -> None:
        self.radii_m = tuple(radii_m)

    def __call__(self, rows: Float[np.ndarray, 'n 12'], task: int) -> Int[np.ndarray, ' m']:
        """Returns the rows that remain, best first; see Suppression."""
        # mmdet3d's circle_nms compares squares of distances.
        remaining = circle_nms(rows[:, [0, 1, SCORE]], self.radii_m[task] ** 2, post_max_size=len(rows))
        return np.array(remaining, dtype=np.int64)


class RotatedSuppression:
    """Drops the weaker of two boxes of a task that overlap seen from above, as mmdet3d's nms_bev.

    mmdet3d clips the polygons of all pairs; here only of those whose circumscribed circles meet.

    Args:
        iou: overlap from which on the weaker box goes.
    """

    def __init__(self, iou: float) -> None:
        self.iou = iou

    def __call__(self, rows: Float[np.ndarray, 'n 12'], task: int) -> Int[np.ndarray, ' m']:
        """Returns the rows that remain, best first; see Suppression."""
        order = np.argsort(-rows[:, SCORE], kind='stable')
        overlaps = self._overlaps(torch.from_numpy(rows[order])).numpy()
        is_dropped = np.zeros(len(order), dtype=bool)
        for row in range(len(order)):
            if not is_dropped[row]:
                is_dropped[row + 1:] |= overlaps[row, row + 1:]
        return order[~is_dropped]

    def _overlaps(self, rows: Float[Tensor, 'n 12']) -> Bool[Tensor, 'n n']:
        """Returns which pairs of boxes overlap too much; only above the diagonal."""
        boxes = rows[:, [0, 1, 3, 4, 6]]
        reach_m = boxes[:, 2:4].norm(dim=1) / 2
        is_near = torch.cdist(boxes[:, :2], boxes[:, :2]) <= 1.001 * (reach_m[:, None] + reach_m)
        is_sane = reach_m < MAX_EXTENT_M
        first, second = (is_near & is_sane[:, None] & is_sane).triu(1).nonzero(as_tuple=True)
        overlaps = torch.zeros_like(is_near)
        shared_m2 = common_area_m2(boxes[first], boxes[second])
        area_m2 = boxes[:, 2] * boxes[:, 3]
        overlaps[first, second] = shared_m2 >= self.iou * (area_m2[first] + area_m2[second] - shared_m2)
        return overlaps


def _decode(maps: Dict[str, Float[Tensor, 'b _ y x']], bev_grid: BEVGrid, max_boxes: int, first_label: int
            ) -> Float[Tensor, 'b k 11']:
    peaks = _peaks(maps['heatmap'], max_boxes)
    reg, height, size, direction, velocity = (
        values_at(maps[name], peaks.cells) for name in ('reg', 'height', 'dim', 'rot', 'vel'))
    row = torch.div(peaks.cells, bev_grid.n_x, rounding_mode='floor')
    x = (peaks.cells % bev_grid.n_x + reg[..., 0]) * bev_grid.cell_m + bev_grid.range_m[0]
    y = (row + reg[..., 1]) * bev_grid.cell_m + bev_grid.range_m[1]
    yaw = torch.atan2(direction[..., 0], direction[..., 1])
    return torch.cat([
        torch.stack([x, y], dim=-1), height, size.exp(), yaw.unsqueeze(-1), velocity,
        torch.stack([peaks.logits.sigmoid(), (peaks.classes + first_label).to(yaw.dtype)], dim=-1)], dim=-1)


def _peaks(heatmap_logits: Float[Tensor, 'b c y x'], count: int) -> Peaks:
    of_class, cell = heatmap_logits.flatten(2).topk(count)
    logits, place = of_class.flatten(1).topk(count)
    return Peaks(logits, torch.div(place, count, rounding_mode='floor'), cell.flatten(1).gather(1, place))


def values_at(values: Float[Tensor, 'b c y x'], cells: Int[Tensor, 'b k']) -> Float[Tensor, 'b k c']:
    """Returns a map's values in some cells, without a copy of the whole map.

    Args:
        values: the map.
        cells: flat cells.
    """
    channels = values.shape[1]
    return values.flatten(2).gather(2, cells.unsqueeze(1).expand(-1, channels, -1)).transpose(1, 2)
