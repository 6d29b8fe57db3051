"""Decodes CenterPoint's maps into boxes, all tasks and samples at once.

Source: mmdet3d 1.4.0 CenterPointBBoxCoder.decode and CenterHead.predict_by_feat. What changes here: peaks are
chosen before the sigmoid, only their values are gathered, everything keeps a fixed size on the device, and
one copy brings it to the CPU, where the host's circle NMS runs. The host copies once a task and sample, and
each of its masks waits for the device as well.
"""
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Float
from mmdet3d.models.layers import circle_nms
from torch import Tensor

from ..geometry.bev_grid import BEVGrid

BOX_NUMBERS = 9
# Columns behind the box.
SCORE, LABEL, IS_KEPT = 9, 10, 11


class Detections(NamedTuple):
    """The boxes of one sample, task after task, best first within a task.

    Attributes:
        boxes: x, y, z of the bottom centre in metres, l, w, h, yaw, vx, vy.
        scores: confidences.
        labels: int32 indices into all classes.
    """

    boxes: Float[Tensor, 'n 9']
    scores: Float[Tensor, ' n']
    labels: Tensor


def decode_tasks(task_maps: Sequence[Dict[str, Tensor]], *, bev_grid: BEVGrid, max_boxes: int,
                 limit_m: Float[Tensor, ' 6'], score_threshold: float) -> Float[Tensor, 'b t k 12']:
    """Returns the best peaks of every task as boxes, score, label and whether to keep them, on the device.

    Args:
        task_maps: raw maps (B, C, Y, X) by name, one dictionary a task.
        bev_grid: the grid of the maps.
        max_boxes: K, peaks a task.
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


def suppress(peaks: Float[Tensor, 'b t k 12'], *, radius_squared_m2: Sequence[float], boxes_a_task: int
             ) -> List[Detections]:
    """Drops what is not to keep and the weaker of two close boxes of a task; returns the samples on the CPU.

    Args:
        peaks: as `decode_tasks` returns them.
        radius_squared_m2: per task, the square of the distance below which the weaker box goes.
        boxes_a_task: most boxes of a task that remain.
    """
    samples = []
    for tasks in peaks.detach().cpu().numpy():
        chosen = np.concatenate([_suppress_task(task[task[:, IS_KEPT] > 0], radius, boxes_a_task)
                                 for task, radius in zip(tasks, radius_squared_m2)])
        chosen[:, 2] -= chosen[:, 5] * 0.5
        rows = torch.from_numpy(chosen)
        samples.append(Detections(rows[:, :BOX_NUMBERS], rows[:, SCORE], rows[:, LABEL].int()))
    return samples


def _decode(maps: Dict[str, Tensor], bev_grid: BEVGrid, max_boxes: int, first_label: int
            ) -> Float[Tensor, 'b k 11']:
    logits, label, cell = _peaks(maps['heatmap'], max_boxes)
    reg, height, size, direction, velocity = (
        _at(maps[name], cell) for name in ('reg', 'height', 'dim', 'rot', 'vel'))
    x = ((cell % bev_grid.n_x) + reg[..., 0]) * bev_grid.cell_m + bev_grid.range_m[0]
    y = (torch.div(cell, bev_grid.n_x, rounding_mode='floor') + reg[..., 1]) * bev_grid.cell_m \
        + bev_grid.range_m[1]
    yaw = torch.atan2(direction[..., 0], direction[..., 1])
    return torch.cat([
        torch.stack([x, y], dim=-1), height, size.exp(), yaw.unsqueeze(-1), velocity,
        torch.stack([logits.sigmoid(), (label + first_label).to(logits.dtype)], dim=-1)], dim=-1)


def _peaks(heatmap_logits: Float[Tensor, 'b k y x'], count: int) -> Tuple[Tensor, Tensor, Tensor]:
    """Returns logit, class and flat cell of the highest places, (B, count) each."""
    of_class, cell = heatmap_logits.flatten(2).topk(count)
    logit, place = of_class.flatten(1).topk(count)
    return logit, torch.div(place, count, rounding_mode='floor'), cell.flatten(1).gather(1, place)


def _at(values: Float[Tensor, 'b c y x'], cell: Tensor) -> Float[Tensor, 'b n c']:
    """Returns the values of each cell, without a copy of the whole map."""
    channels = values.shape[1]
    return values.flatten(2).gather(2, cell.unsqueeze(1).expand(-1, channels, -1)).transpose(1, 2)


def _suppress_task(rows: np.ndarray, radius_squared_m2: float, most: int) -> np.ndarray:
    """Returns the rows of one task that remain, in an array of their own."""
    kept = circle_nms(rows[:, [0, 1, SCORE]], radius_squared_m2, post_max_size=most)
    return rows[np.array(kept, dtype=np.int64)]
