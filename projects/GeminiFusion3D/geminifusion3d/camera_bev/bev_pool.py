"""Pools the lifted pixels of a whole batch into BEV maps, by plans that are cached.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.2: the splat.

A camera's pixels fall into the same cells as long as calibration and augmentation stay the same to the last
bit. That is so for a rig that is calibrated once and triggered at one time. In nuScenes the car drives on
between the LiDAR's and a camera's shot, which the info files account for: there only the samples of a
standing car are found again.
"""
from collections import OrderedDict
from typing import Any, Callable, Hashable, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid
from ..ops.splat import splat
from ..ops.splat_plan import SplatPlan, plan_splat


class PlanCache:
    """Plans by what they depend on; the least recently used one is dropped first.

    Copies and pickles of it are empty: their owner may work on another device or with other cameras.

    Args:
        capacity: most plans to keep; each takes about 8 bytes per (pixel, depth bin) pair.

    Raises:
        ValueError: if capacity is negative.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f'cached_calibrations must be 0 or more, got {capacity}')
        self.capacity = capacity
        self._plans: 'OrderedDict[Hashable, SplatPlan]' = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.capacity,)

    def get(self, key: Hashable, make: Callable[[], SplatPlan]) -> SplatPlan:
        """Returns the plan of a key, made if it is not cached.

        Args:
            key: all that the plan depends on, the device included.
            make: makes the plan.
        """
        plan = self._plans.pop(key, None)
        if plan is None:
            # A plan may outlive the inference mode in which it is first asked for.
            with torch.inference_mode(False):
                plan = make().without_outside()
        self._plans[key] = plan
        while len(self._plans) > self.capacity:
            self._plans.popitem(last=False)
        return plan

    def clear(self) -> None:
        """Drops every plan."""
        self._plans.clear()


# Below this sum of depth probabilities a cell's average fades to zero instead of amplifying noise.
LEAST_MASS = 0.01
# Columns for the sum of depth probabilities, of which the first holds it: a GPU reads rows in fours.
MASS_COLUMNS = 4


def plan_pool(cells: Int[Tensor, 'b n_cam p d'], feature_hw: Tuple[int, int], bev_grid: BEVGrid) -> SplatPlan:
    """Finds the order in which the pixels of a batch are summed.

    Args:
        cells: flat cell of each (pixel, depth bin), -1 outside; p = h * w, row by row.
        feature_hw: rows and columns of the feature map.
        bev_grid: the grid of the cells.
    """
    batch, n_cells = len(cells), bev_grid.n_y * bev_grid.n_x
    if batch > 1:
        # The whole batch at once: sample b owns the cells from b * n_cells on.
        first_cell = torch.arange(batch, device=cells.device).view(-1, 1, 1, 1) * n_cells
        cells = torch.where(cells >= 0, cells + first_cell, cells)
    return plan_splat(cells.unflatten(2, feature_hw).permute(0, 1, 3, 4, 2), batch * n_cells)


def pool_to_bev(context: Float[Tensor, 'n c h w'], depth_probability: Float[Tensor, 'n d h w'],
                plan: SplatPlan, bev_grid: BEVGrid, *, average: bool) -> Float[Tensor, 'b c y x']:
    """Sums depth probability x context in each cell.

    Args:
        context: features to lift, n = b * n_cam.
        depth_probability: of each depth bin.
        plan: what plan_pool returned.
        bev_grid: the grid of the cells.
        average: divide each cell's sum by the sum of its depth probabilities.
    """
    features = context.permute(0, 3, 2, 1).flatten(0, 1)
    if average:
        features = F.pad(F.pad(features, (0, 1), value=1.0), (0, MASS_COLUMNS - 1))
    bev = splat(features, depth_probability.permute(0, 3, 1, 2).flatten(0, 1), plan)
    if average:
        mass = bev[:, -MASS_COLUMNS:][:, :1]
        bev = bev[:, :-MASS_COLUMNS] / mass.clamp(min=LEAST_MASS)
    # Channels-last memory, the layout that the fuser and the convolutions after it read fastest.
    return bev.view(-1, bev_grid.n_y, bev_grid.n_x, bev.shape[1]).permute(0, 3, 1, 2)
