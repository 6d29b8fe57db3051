"""The contest of converters, both run for real on a tiny dataset."""
from argparse import Namespace
from pathlib import Path

import pytest
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.benchmark.converters import DATABASE, INFOS, OURS
from gemini_lab.benchmark.subcommands import convert
from geminifusion3d.errors import UserError


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny dataset: three keyframes to learn from, three others."""
    return write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'))


@pytest.fixture(scope='module')
def rows(root: Path) -> list:
    """Measured once."""
    return convert.run(Namespace(root_path=root, version='v1.0-mini', workers=[1, 2], repeats=1, warm_up=0,
                                 work=[INFOS, DATABASE]))


def test_every_converter_does_every_kind_of_work(rows):
    assert [(row.mode, row.name) for row in rows] == [
        (INFOS, OURS), (INFOS, f'{OURS}, 2 processes'), (INFOS, 'mmdet3d, records alone'), (INFOS, 'mmdet3d'),
        (DATABASE, OURS), (DATABASE, f'{OURS}, 2 processes'), (DATABASE, 'mmdet3d')]


def test_seconds_are_given_per_thousand_keyframes_of_what_was_converted(rows):
    for row in rows:
        samples = {INFOS: 6, DATABASE: 3}[row.mode]
        assert row.shape == f'{samples} keyframes' and 0 < row.median_s < 60
        assert row.facts['seconds_per_1000'] == pytest.approx(row.median_s / samples * 1000)


def test_the_table_compares_each_with_ours(rows):
    table = convert.markdown(rows)
    assert table.count(f'| {OURS} |') == 2 and '| mmdet3d |' in table
    ours = next(line for line in table.splitlines() if line.startswith(f'| {INFOS} | {OURS} |'))
    assert ours.endswith('| 1 |')


def test_large_ratios_are_whole_numbers():
    assert [convert._times(value) for value in (101.4, 12.0, 4.67, 0.645)] == ['101', '12', '4.7', '0.65']


def test_the_dataset_is_left_as_it_was(root, rows):
    assert sorted(path.name for path in root.iterdir()) == ['maps', 'samples', 'sweeps', 'v1.0-mini']


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(UserError, match='create_synthetic'):
        convert.count_samples(tmp_path, 'v1.0-mini')
