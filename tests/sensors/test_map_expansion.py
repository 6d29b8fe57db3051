"""Maps are drawn where the devkit draws them; mirrors, scales and shifts move them with the points."""
import cv2
import numpy as np
import pytest
from made_up_map import write_map
from nuscenes.map_expansion.map_api import NuScenesMap, NuScenesMapExplorer

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.sensors.map_expansion import MapExpansion, cells_from_global, open_map

# 20 columns of 1 m from x = -4, 12 rows from y = -6: neither square nor in the middle.
GRID = BEVGrid((-4.0, -6.0, -3.0, 16.0, 6.0, 3.0), 1.0)


def drawn(root, layer, grid=GRID, global_from_lidar=np.eye(4), augmented=np.eye(4)):
    """Returns the cells of a layer."""
    cells = np.zeros(grid.shape_yx, np.uint8)
    world = MapExpansion(root / 'maps/expansion/boston-seaport.json', [layer])
    world.draw(layer, grid, cells_from_global(global_from_lidar, augmented, grid), cells)
    return cells


def turned(angle, x_m=0.0, y_m=0.0):
    pose = np.eye(4)
    pose[:2] = [[np.cos(angle), -np.sin(angle), 0, x_m], [np.sin(angle), np.cos(angle), 0, y_m]]
    return pose


def test_an_area_covers_the_cells_between_its_rounded_corners(tmp_path):
    # Corners at columns 3 and 8, rows 4 and 6, counted from the low edges; the last ones are drawn, too.
    root = write_map(tmp_path, [('walkway', [[(-1, -2), (4, -2), (4, 0), (-1, 0)]])])
    cells = drawn(root, 'walkway')
    assert cells[4:7, 3:9].all() and cells.sum() == 3 * 6


def test_a_hole_stays_empty_and_an_area_that_crosses_itself_is_left_out(tmp_path):
    ring = [(-4, -6), (16, -6), (16, 6), (-4, 6)]
    hole = [(0, -2), (8, -2), (8, 2), (0, 2)]
    bow_tie = [(0, 0), (2, 2), (2, 0), (0, 2)]
    root = write_map(tmp_path, [('drivable_area', [ring, hole]), ('walkway', [bow_tie])])
    cells = drawn(root, 'drivable_area')
    assert (cells[4:9, 4:13] == 0).all() and cells.sum() == 12 * 20 - 5 * 9
    assert drawn(root, 'walkway').sum() == 0


def test_a_line_that_leaves_the_patch_and_comes_back_is_drawn_twice(tmp_path):
    # Two columns wide, at columns 4 and 12; between them it runs above the patch.
    root = write_map(tmp_path, lines=[('lane_divider', [(0, -6), (0, 20), (8, 20), (8, -6)])])
    columns = np.flatnonzero(drawn(root, 'lane_divider').any(axis=0))
    assert {4, 12} <= set(columns.tolist()) <= {3, 4, 5, 11, 12, 13}


@pytest.mark.parametrize('pose', [turned(0.0, 50, 60), turned(2.1, 57.3, 48.9), turned(-1.3, 61, 55)])
def test_the_devkit_draws_the_same(tmp_path, pose, monkeypatch):
    rng = np.random.default_rng(3)
    blobs = []
    for layer in ('drivable_area', 'ped_crossing', 'stop_line', 'drivable_area', 'carpark_area'):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        ring = np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(4, 14, (9, 1))
        blobs.append((layer, [(ring + rng.uniform(45, 65, 2)).tolist()]))
    root = write_map(tmp_path, blobs, [('road_divider', [(40.3, 50.2), (55.1, 52.7), (58.4, 57.9)])])
    grid = BEVGrid((-15.0, -10.0, -3.0, 15.0, 10.0, 3.0), 0.5)
    devkit = NuScenesMap(str(root), 'boston-seaport')
    yaw_deg = np.degrees(np.arctan2(pose[1, 0], pose[0, 0]))
    for layer in ('drivable_area', 'ped_crossing', 'stop_line', 'carpark_area', 'road_divider'):
        theirs, = NuScenesMapExplorer(devkit).get_map_mask(
            (pose[0, 3], pose[1, 3], 20.0, 30.0), yaw_deg, [layer], grid.shape_yx)
        ours = drawn(root, layer, grid, pose)
        assert theirs.any(), layer
        # The devkit cuts lines twice; a corner on the patch's edge may fall to the other side.
        assert (ours != theirs).sum() <= (6 if layer == 'road_divider' else 0), layer


def test_tilt_is_left_out(tmp_path):
    root = write_map(tmp_path, [('walkway', [[(-1, -2), (4, -2), (4, 0), (-1, 0)]])])
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]]
    assert (drawn(root, 'walkway', global_from_lidar=tilt) == drawn(root, 'walkway')).all()


@pytest.mark.parametrize('mirror', [(1, 1), (-1, 1), (1, -1), (-1, -1)])
def test_augmentation_moves_the_map_as_it_moves_points(tmp_path, mirror):
    # A fine grid, so that rounding is small beside the area; its corners go where the points at them go.
    grid = BEVGrid((-40.0, -30.0, -3.0, 30.0, 45.0, 3.0), 0.1)
    corners = np.array([(3.0, 2), (11, 2), (11, 6), (3, 4)])
    pose = turned(0.7, 90, 80)
    global_corners = corners @ pose[:2, :2].T + pose[:2, 3]
    root = write_map(tmp_path, [('walkway', [global_corners.tolist()])])
    augmented = np.diag([*mirror, 1, 1]) @ turned(-0.4, 1.5, -2.5)
    augmented[:3] = np.diag([1.3] * 3) @ augmented[:3]
    cells = drawn(root, 'walkway', grid, pose, augmented)
    expected = np.zeros_like(cells)
    moved = corners @ augmented[:2, :2].T + augmented[:2, 3]
    cv2.fillPoly(expected, [np.round((moved - [-40, -30]) / 0.1).astype(np.int32)], 1)
    assert (cells != expected).sum() <= 0.005 * expected.sum()
    # Area (8 x 2 + 8 x 2 / 2) m^2 times 1.3 squared, in cells of 0.01 m^2, and half of the 290 on its edge.
    assert 0 < cells.sum() - 24 * 1.69 * 100 < 160


@pytest.mark.parametrize(('content', 'message'), [
    (None, 'unpack the map expansion of nuScenes'), ('{', 'cannot be read'), ('{"version": "1.2"}', '1.3 or'),
    ('{"version": "one"}', '1.3 or'), ('{"version": "1.10"}', 'no whole map expansion'),
    ('{"version": "1.3"}', 'no whole map expansion'),
    ('{"version": "1.3", "node": [{"token": "a", "x": NaN, "y": 1}]}', 'node a lies at .nan, 1.0')])
def test_a_map_that_cannot_be_used_is_named(tmp_path, content, message):
    folder = tmp_path / 'maps' / 'expansion'
    folder.mkdir(parents=True)
    if content is not None:
        (folder / 'boston-seaport.json').write_text(content)
    with pytest.raises(UserError, match=message):
        open_map(str(tmp_path), 'boston-seaport', ('walkway', ))


def test_a_location_stays_in_the_folder_of_maps(tmp_path):
    with pytest.raises(UserError, match='boston-seaport'):
        open_map(str(tmp_path), '../../secret', ('walkway', ))
