"""Radar files hold what the devkit reads, filtered as it does; a damaged one is named."""
import zlib
from pathlib import Path

import numpy as np
import pytest
from nuscenes.utils.data_classes import RadarPointCloud
from real_data import real_data

from gemini_lab.synthetic.radar import _ROW, to_pcd
from geminifusion3d.errors import UserError
from geminifusion3d.radar_files import RADAR_FIELDS, radar_file_problem, read_radar_file, read_radar_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of six returns, of which the devkit's default filters keep two."""
    rows = np.zeros(6, _ROW)
    for index, name in enumerate(RADAR_FIELDS):
        rows[name] = np.arange(6) + 10 * index if _ROW[name].kind == 'f' else 1
    rows['ambig_state'], rows['invalid_state'] = 3, 0
    rows['ambig_state'][0], rows['invalid_state'][1], rows['dyn_prop'][2], rows['vx'][3] = 4, 1, 7, np.nan
    (tmp_path / 'scan.pcd').write_bytes(to_pcd(rows))
    return tmp_path / 'scan.pcd'


def test_the_devkits_default_filters_keep_the_same_returns(path):
    ours, devkit = read_radar_file(str(path)), RadarPointCloud.from_file(str(path)).points.T
    # What is no number in a later row, the devkit keeps.
    np.testing.assert_array_equal(ours, devkit[np.isfinite(devkit).all(axis=1)])
    assert ours[:, RADAR_FIELDS.index('x')].tolist() == [4, 5] and ours.shape == (2, 18)
    assert len(read_radar_file(str(path), {})) == 5
    assert read_radar_file(str(path), dict(ambig_state=(4,)))[:, 0].tolist() == [0]


def test_a_scan_without_returns_is_empty(tmp_path):
    (tmp_path / 'scan.pcd').write_bytes(to_pcd(np.zeros(0, _ROW)))
    assert read_radar_file(str(tmp_path / 'scan.pcd')).shape == (0, 18)


def test_real_sweeps_are_read_as_the_devkit_reads_them():
    files = sorted(real_data('nuscenes_radar').glob('*.pcd'))
    clouds = [read_radar_file(str(file)) for file in files]
    for file, cloud in zip(files, clouds):
        np.testing.assert_array_equal(cloud, RadarPointCloud.from_file(str(file)).points.T)
        assert radar_file_problem(str(file)) is None
    assert len(files) == 10 and min(map(len, clouds)) == 30 and max(map(len, clouds)) == 74


@pytest.mark.parametrize('damage, message, problem', [
    (lambda data: data[:-50], 'is cut: it holds 209 bytes of returns, expected 258 for 6 returns', 'damaged'),
    (lambda data: data.replace(b'FIELDS x y', b'FIELDS y x'), 'expected the 18 of a nuScenes radar',
     'damaged'),
    (lambda data: data.replace(b'SIZE 4', b'SIZE 3'), 'each with its type and size', 'damaged'),
    (lambda data: data[:100], 'is no radar file; expected a PCD header', 'damaged'),
    (lambda data: b'', 'is no radar file', 'empty')])
def test_a_damaged_file_is_named(path, damage, message, problem):
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match=message):
        read_radar_file(str(path))
    assert radar_file_problem(str(path)) == problem
    path.unlink()
    assert radar_file_problem(str(path)) == 'missing'


def test_another_file_than_the_converted_one_is_refused(path):
    data = path.read_bytes()
    expected = zlib.crc32(data)
    assert len(read_radar_file(str(path), {}, expected)) == 5
    # The last bit of the last row's speed: still a sound file.
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert radar_file_problem(str(path)) is None
    with pytest.raises(UserError, match='is not the file that was converted'):
        read_radar_file(str(path), {}, expected)


@pytest.mark.parametrize('name, value', [
    ('x', 2000), ('z', -np.inf), ('rcs', 1e30), ('vy_comp', -3e38), ('vx', 1e9)])
def test_a_return_that_no_radar_measures_is_dropped(tmp_path, name, value):
    rows = np.zeros(3, _ROW)
    rows['ambig_state'] = 3
    rows['y'], rows['vx_comp'] = [1, 2, 3], [-90, 0, 90]
    rows[name][1] = value
    (tmp_path / 'scan.pcd').write_bytes(to_pcd(rows))
    assert read_radar_file(str(tmp_path / 'scan.pcd'))[:, 1].tolist() == [1, 3]


def test_returns_of_other_units_are_refused(tmp_path):
    # x, y, z, rcs in square metres in place of dBsm: cars are 10, trucks 1000.
    rows = np.array([[10, 2, 0, 1000], [20, 1, 0, 900], [30, 0, 0, 10]], np.float32)
    with pytest.raises(UserError, match='2 of 3 returns that no radar measures; expected .* dBsm'):
        read_radar_rows(rows, ('x', 'y', 'z', 'rcs'))
    assert len(read_radar_rows(rows * np.float32([1, 1, 1, 0.03]), ('x', 'y', 'z', 'rcs'))) == 3
