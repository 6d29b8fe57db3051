"""x and y of BEVFusion's rounding on a grid that begins elsewhere along each."""
import torch

from geminifusion3d.camera_bev.bevfusion_frustum import BEVFusionFrustum
from geminifusion3d.geometry.bev_grid import BEVGrid

# 20 columns from x = -2, 12 rows from y = -5.
GRID = BEVGrid(range_m=(-2.0, -5.0, -3.0, 8.0, 1.0, 3.0), cell_m=0.5)


def test_what_lies_just_below_the_grid_counts_to_its_first_column_or_row():
    frustum = BEVFusionFrustum(depth_range_m=(1.0, 5.0), depth_bins=4)
    points_m = torch.tensor([[-2.3, -2.9, 0.0], [3.2, -5.3, 0.0], [-2.6, -2.9, 0.0], [3.2, -5.6, 0.0]])
    # Row of y = -2.9 is 4, column of x = 3.2 is 10; more than a cell below is outside.
    assert frustum.cell_of(points_m, GRID).tolist() == [4 * 20, 10, -1, -1]
