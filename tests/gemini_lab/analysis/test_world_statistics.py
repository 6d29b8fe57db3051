"""Distributions of objects and clouds: numbers by hand, the same from every source, and real ones."""
from pathlib import Path

import numpy as np
import pytest
from commands import Gemini3d
from real_data import real_data
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.analysis.world_sources import read_world
from gemini_lab.analysis.world_statistics import read_worlds
from gemini_lab.analysis.world_tables import Clouds, World, render
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError


def cells(text: str, row: str, table: int = 0) -> list:
    """Returns the cells behind a row's name, in the how manyeth table that has such a row."""
    rows = [line.strip('| ').split(' | ') for line in text.splitlines()]
    return [line[1:] for line in rows if line[0] == row][table]


@pytest.fixture
def world() -> World:
    """Ten cars in two keyframes, 5 to 50 m away, half of them at 10 m/s; one cart."""
    cars = 10
    return World(
        name='a', keyframes=2, classes=np.array(['car'] * cars + ['other categories']),
        lwh_m=np.array([[4.0, 2.0, 1.5]] * 5 + [[5.0, 2.0, 1.5]] * 5 + [[1.0, 1.0, 1.0]]),
        distance_m=np.array([*range(5, 55, 5), 100.0]), speed_mps=np.array([0.0] * 5 + [10.0] * 5 + [np.nan]),
        num_points=np.array([100.0] * 5 + [0.0] * 5 + [3.0]),
        visibility=np.array([1] * 5 + [4] * 5 + [0]))


def test_tables_say_what_the_boxes_are(world):
    text = render([world])
    assert cells(text, 'boxes a keyframe') == ['5.5']
    assert cells(text, 'car') == ['5.00 (90.9%)'] and cells(text, 'bus') == ['0.00 (0.0%)']
    assert cells(text, 'car', 1) == ['4.50 × 2.00 × 1.50 (0.50)']
    # 20 m and 25 m, of 11; the median is the sixth, at 30 m.
    assert cells(text, 'share 20–30 m') == ['18.2%'] and cells(text, '50% nearer than') == ['30.0']
    assert cells(text, 'share beyond 50 m') == ['18.2%']
    assert cells(text, 'car', 2) == ['50% (10.0, 10.0)']
    assert cells(text, 'boxes without a point') == ['45.5%']
    assert cells(text, '0–40 %') == ['50.0%'] and cells(text, '60–80 %') == ['0.0%']


def test_what_nobody_knows_is_no_row_and_what_one_does_not_is_a_dash(world):
    blind = World('b', 1, world.classes, world.lwh_m, world.distance_m, world.speed_mps,
                  np.full(11, np.nan), np.zeros(11, int), Clouds(
                      2, 20, np.array([5.0, 7.0]), np.array([9.0, 11.0]), np.array([-30.0, 10.0])))
    assert 'visibility' not in render([blind]) and 'without a point' not in render([blind])
    text = render([world, blind])
    assert cells(text, '0–40 %') == ['50.0%', '–'] and cells(text, 'rows a cloud') == ['–', '10']
    assert cells(text, 'of the car itself or of nothing, within 1 m') == ['–', '90.0%']
    assert cells(text, '50% of their intensities below') == ['–', '10']


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of mini_val."""
    return write_tiny_nuscenes(tmp_path_factory.mktemp('statistics'), keyframes=3, scenes=('scene-0103',))


def test_tables_and_info_file_give_the_same(root, tmp_path):
    infos = convert_nuscenes(root, 'v1.0-mini', tmp_path)['mini_val']
    tables, info = read_world('x', root), read_world('x', infos)
    assert tables.keyframes == info.keyframes == 3 and len(tables.classes) > 0
    for name in ('classes', 'lwh_m', 'distance_m', 'speed_mps', 'num_points', 'visibility'):
        np.testing.assert_array_equal(getattr(tables, name), getattr(info, name))
    assert info.clouds is None and tables.clouds.clouds == 3


def test_boxes_of_mmdet3ds_database_are_width_first(tmp_path):
    path = tmp_path / 'boxes.npz'
    np.savez(path, token=['s', 's', 't'], name=['car', 'animal', 'bus'], box=np.array(
        [[3, 4, 0, 1.8, 4.5, 1.6, 0, 6, 8], [0, 1, 0, 1, 2, 3, 0, 0, 0], [0, 9, 0, 2, 12, 3, 0, np.nan, 0]]))
    world = read_world('x', path)
    assert world.keyframes == 2 and world.classes.tolist() == ['car', 'other categories', 'bus']
    np.testing.assert_allclose(world.lwh_m[0], [4.5, 1.8, 1.6])
    assert (world.distance_m[0], world.speed_mps[0]) == (5, 10) and np.isnan(world.speed_mps[2])
    np.savez(path, token=['s'])
    with pytest.raises(UserError, match='boxes.npz cannot be used .*expected arrays token, name, box'):
        read_world('x', path)


def test_the_command_prints_or_writes_the_tables(gemini3d: Gemini3d, root, tmp_path):
    done = gemini3d('world-statistics', f'a={root}', f'b={root}')
    assert done.returncode == 0, done.stderr
    assert '| boxes a keyframe (share) | a | b |' in done.stdout
    page = tmp_path / 'page.md'
    page.write_text('# x\n<!-- statistics:start -->\nold\n<!-- statistics:end -->\n')
    assert gemini3d('world-statistics', root, '--into', page).returncode == 0
    assert f'| size of the sample | {root.stem} |' in page.read_text() and 'old' not in page.read_text()
    with pytest.raises(UserError, match='got the sources a, a; expected a name of its own'):
        read_worlds([f'a={root}', f'a={root}'])


def test_real_labels_have_the_numbers_that_the_documentation_shows():
    train = read_world('t', real_data('statistics') / 'mini_train_gt_boxes_lidar_frame.npz')
    assert (train.keyframes, len(train.classes)) == (323, 11216)
    val = read_world('v', real_data('nuscenes_mini_val_tables'))
    assert (val.keyframes, len(val.classes)) == (81, 4514)
    text = render([train, val])
    assert cells(text, 'car') == ['12.64 (36.4%)', '31.70 (56.9%)']
    assert cells(text, 'car, 20–30 m') == ['–', '9']
