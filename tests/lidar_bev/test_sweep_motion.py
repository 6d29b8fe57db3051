"""What moved between two sweeps, measured per cell: numbers by hand on a grid that is not square."""
import math

import pytest
import torch
from tiny_detector import build_detector, make_batch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev import SweepMotion

# 6 columns, 4 rows of 2 m; column 0 is at x -6 to -4, row 0 at y -4 to -2.
GRID = BEVGrid.from_config(dict(range_m=[-6.0, -4.0, -3.0, 6.0, 4.0, 3.0], cell_m=2.0))
NO_CAMERA = dict(camera_branch=None, camera_align=None, fuser=None)


def build(**replaced):
    """Return a module of two windows that counts what is above -1.4 m."""
    torch.manual_seed(0)
    settings = dict(out_channels=5, windows_cells=[1, 3], above_m=-1.4)
    return SweepMotion(bev_grid=GRID, **{**settings, **replaced})


def cloud(*points):
    """Return points of x, y, z, age."""
    return torch.tensor([[x, y, z, 100.0, age] for x, y, z, age in points])


def test_points_of_both_sweeps_and_how_their_middles_moved():
    # Two points of the newest sweep in row 1, column 3; one of the oldest, half a second before, in column 2.
    moved = build().measure([cloud((0.5, -1.0, 0, 0.0), (1.5, -0.6, 1, 0.0), (-0.5, -1.2, 0, 0.5),
                                   # Not counted: the sweep between; the ground; beside and above the grid.
                                   (0.5, -1.0, 0, 0.25), (0.5, -1.0, -1.8, 0.0), (7.0, 0, 0, 0.5),
                                   (0.5, -1.0, 3.5, 0.0))])
    assert moved.shape == (1, 6, 4, 6)
    new, old, small, large = moved[0, :1], moved[0, 1:2], moved[0, 2:4], moved[0, 4:]
    expected = torch.zeros(1, 4, 6)
    expected[0, 1, 3] = math.log(3)
    assert torch.equal(new, expected)
    expected = torch.zeros(1, 4, 6)
    expected[0, 1, 2] = math.log(2)
    assert torch.equal(old, expected)
    # No cell holds points of both; squares of 3 x 3 cells do around rows 0 to 2, columns 2 and 3.
    assert not small.any()
    # From (-0.5, -1.2) to the middle (1.0, -0.8): 1.5 and 0.4 m in 0.5 s, over 4 m/s.
    expected = torch.zeros(2, 4, 6)
    expected[0, :3, 2:4], expected[1, :3, 2:4] = 1.5 / 0.5 / 4, 0.4 / 0.5 / 4
    torch.testing.assert_close(large, expected)


def test_the_time_between_the_sweeps_is_each_samples_own():
    points = (0.5, -1.0, 0, 0.05), (0.7, -1.0, 0, 0.25)
    later = (0.5, -1.0, 0, 0.05), (0.7, -1.0, 0, 0.45)
    moved = build().measure([cloud(*points), cloud(*later)])
    assert moved[0, 2, 1, 3].item() == pytest.approx(-0.2 / 0.2 / 4, abs=1e-6)
    assert moved[1, 2, 1, 3].item() == pytest.approx(-0.2 / 0.4 / 4, abs=1e-6)


def test_points_of_a_turn_of_the_lidar_are_one_sweep():
    # Ages of single points, as motion compensation leaves them.
    moved = build().measure([cloud((0.5, -1.0, 0, 0.0), (0.5, -1.0, 0, 0.02), (0.5, -1.0, 0, 0.5),
                                   (0.5, -1.0, 0, 0.48))])
    assert moved[0, :2, 1, 3].tolist() == pytest.approx([math.log(3)] * 2)


def test_one_sweep_has_points_but_no_motion_and_no_points_nothing():
    module = build()
    moved = module.measure([cloud((0.5, -1.0, 0, 0.0), (1.5, -1.0, 0, 0.0)), torch.zeros(0, 5)])
    assert moved[0, 0, 1, 3] == pytest.approx(math.log(3)) and not moved[0, 1:].any()
    assert not moved[1].any() and moved.isfinite().all()
    assert not module(moved)[1].any() and module(moved)[0].any()


def test_what_is_measured_has_the_precision_of_the_weights():
    moved = build().measure([cloud((4.5, 3.0, 0, 0.0), (4.25, 3.125, 0, 0.5)).double()])
    assert moved.dtype == torch.float32
    assert moved[0, 2:4, 3, 5].tolist() == pytest.approx([0.25 / 0.5 / 4, -0.125 / 0.5 / 4], abs=1e-6)


def test_it_is_added_to_what_the_head_reads():
    motion = dict(type='GeminiSweepMotion', out_channels=96, windows_cells=[3], above_m=-1.4)
    model = build_detector(**NO_CAMERA, motion=motion).eval()
    inputs = model.data_preprocessor(make_batch((300, 0)), training=False)['inputs']
    with torch.no_grad():
        with_motion, = model.extract_feat(inputs)
        added = model.motion(model.motion.measure(inputs['points']))
        model.motion = None
        without, = model.extract_feat(inputs)
    assert added[0].any() and not added[1].any()
    assert torch.equal(with_motion, without + added)


@pytest.mark.parametrize('out_channels', [1, 95])
def test_channels_that_are_not_the_necks_are_named(out_channels):
    motion = dict(type='GeminiSweepMotion', out_channels=out_channels, windows_cells=[3], above_m=-1.4)
    model = build_detector(**NO_CAMERA, motion=motion).eval()
    inputs = model.data_preprocessor(make_batch(), training=False)['inputs']
    with pytest.raises(ValueError, match=rf'a map of \({out_channels}, 16, 24\) to .* \(96, 16, 24\)'):
        model.extract_feat(inputs)


@pytest.mark.parametrize('replaced, message', [
    (dict(windows_cells=[3, 4]), r'windows_cells=\[3, 4\] has a window without a middle cell'),
    (dict(windows_cells=[]), 'expected odd numbers'),
    (dict(above_m=3.0), 'above_m=3.0 leaves no point')])
def test_settings_that_measure_nothing_are_refused(replaced, message):
    with pytest.raises(ValueError, match=message):
        build(**replaced)


def test_points_without_an_age_and_a_model_without_lidar_are_refused():
    with pytest.raises(ValueError, match='got points of 4 columns'):
        build().measure([torch.zeros(3, 4)])
    with pytest.raises(ValueError, match='sweeps of a LiDAR, got camera'):
        build_detector(lidar_branch=None, lidar_align=None, fuser=None)
