"""Radar returns become a map where they are, none is an empty map, and every feature counts."""
import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.radar_bev import RadarBranch

# 6 columns, 4 rows.
GRID = BEVGrid.from_config(dict(range_m=[-6.0, -4.0, -3.0, 6.0, 4.0, 3.0], cell_m=2.0))


def build(layers=1):
    """Return a small branch whose convolutions are 3 x 3 once."""
    torch.manual_seed(0)
    return RadarBranch(bev_grid=GRID, channels=8, layers=layers).eval()


def test_a_return_changes_the_map_around_its_cell_only():
    branch, cloud = build(), torch.tensor([[4.5, -3.0, 0.5, 10, 1, 0, 0]])
    changed = (branch([cloud, cloud[:0]])[0] - branch([cloud[:0], cloud[:0]])[0]).abs().sum(0) > 0
    # Column 5, row 0 and its neighbours.
    assert changed.nonzero().tolist() == [[0, 4], [0, 5], [1, 4], [1, 5]]


def test_any_number_of_returns_trains_and_every_column_counts():
    branch = build(layers=2).train()
    clouds = [torch.tensor([[1.0, 1, 0, 12, 3, -4, 0.1], [1.5, 1.2, 0, 20, -3, 4, 0.3]]).requires_grad_(),
              torch.zeros(0, 7)]
    bev = branch(clouds)
    assert bev.shape == (2, 8, 4, 6)
    branch.eval()
    branch(clouds).square().sum().backward()
    assert (clouds[0].grad.abs().sum(dim=0) > 0).all()
