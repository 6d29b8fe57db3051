"""Which dataset a command reads where nobody names its version."""
from pathlib import Path

import pytest

from geminifusion3d.atomic import write_json
from geminifusion3d.commands.dataset import only_version, recorded_dataset
from geminifusion3d.errors import UserError


@pytest.fixture
def dataroot(tmp_path: Path) -> Path:
    """A folder with the tables of two versions."""
    for version in ('v1.0-trainval', 'v1.0-test'):
        (tmp_path / version).mkdir()
        (tmp_path / version / 'sample.json').write_text('[]')
    return tmp_path


@pytest.mark.parametrize('split, version', [('val', 'v1.0-trainval'), ('test', 'v1.0-test')])
def test_an_official_split_says_its_version(dataroot: Path, split: str, version: str) -> None:
    assert only_version(dataroot, split) == version


@pytest.mark.parametrize('split', ['', 'mini_val', 'my_scenes'])
def test_another_split_does_not(dataroot: Path, split: str) -> None:
    with pytest.raises(UserError, match='the versions v1.0-test, v1.0-trainval; choose one with --version'):
        only_version(dataroot, split)


def test_a_damaged_record_is_named_and_an_absent_one_says_nothing(tmp_path: Path) -> None:
    record = tmp_path / 'test_run.json'
    assert recorded_dataset(tmp_path) == {}
    write_json(record, {'dataset': {'split': 'val'}}, sealed=True)
    assert recorded_dataset(tmp_path) == {'split': 'val'}
    record.write_text(record.read_text().replace('val', 'vam'))
    with pytest.raises(UserError, match='test_run.json cannot be used .*digest'):
        recorded_dataset(tmp_path)
