"""Pools the lifted pixels of a whole batch into BEV maps.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.2: the splat.
"""
from typing import Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid
from ..ops.splat import splat
from ..ops.splat_plan import SplatPlan, plan_splat

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
