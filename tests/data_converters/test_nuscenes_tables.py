"""Opening tables: whatever is missing or damaged is named, in one line."""
from pathlib import Path

import pytest
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.nuscenes_tables import open_tables
from geminifusion3d.errors import UserError
from geminifusion3d.paths import checked_relative_path

VERSION = 'v1.0-mini'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tiny dataset to damage."""
    return write_tiny_nuscenes(tmp_path, keyframes=1, scenes=['scene-0061'])


def test_whole_tables_open(root):
    assert len(open_tables(root, VERSION).sample) == 1


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(UserError, match='nowhere is no folder'):
        open_tables(tmp_path / 'nowhere', VERSION)


@pytest.mark.parametrize('version', ['v1.0-trainval', '', '.', '../v1.0-mini', 'samples'])
def test_an_unknown_version_is_answered_with_the_versions_that_are_there(root, version):
    with pytest.raises(UserError, match=r'v1.0-mini|lacks 13 of the 13 tables'):
        open_tables(root, version)


def test_missing_tables_are_listed(root):
    (root / VERSION / 'log.json').unlink()
    (root / VERSION / 'map.json').unlink()
    with pytest.raises(UserError, match='lacks 2 of the 13 tables: log.json, map.json'):
        open_tables(root, VERSION)


@pytest.mark.parametrize('table', ['map', 'sample_annotation'])
def test_half_a_table_is_named_as_such(root, table):
    path = root / VERSION / f'{table}.json'
    path.write_text(path.read_text()[:-20])
    with pytest.raises(UserError, match='no whole (JSON file|table)'):
        open_tables(root, VERSION)


def test_tables_of_different_downloads_are_refused(root):
    (root / VERSION / 'calibrated_sensor.json').write_text('[]')
    with pytest.raises(UserError, match='do not fit together'):
        open_tables(root, VERSION)


def test_a_missing_map_is_named(root):
    (root / 'maps' / 'map.png').unlink()
    with pytest.raises(UserError, match='1 of 1 map pictures are missing .* maps/map.png'):
        open_tables(root, VERSION)


@pytest.mark.parametrize('name', ['/etc/passwd', '../secret', 'samples/../../secret', '', 'a\\b'])
def test_file_names_cannot_leave_the_data_root(name):
    with pytest.raises(UserError, match='expected a path inside the data root'):
        checked_relative_path(name)
