"""The input pipeline's benchmark on a tiny dataset, from the command line on."""
from pathlib import Path

import pytest
from commands import benchmark_arguments
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.benchmark.subcommands import data
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes

REPO = Path(__file__).resolve().parents[4]
CONFIG = str(REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py')


@pytest.fixture(scope='module')
def command(tmp_path_factory: pytest.TempPathFactory) -> list:
    """The command line for the demo's recipe on a converted tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])
    convert_nuscenes(root, 'v1.0-mini', root)
    return ['data', '--config', CONFIG, '--dataroot', str(root), '--ann-file',
            'geminifusion3d_infos_mini_train.pkl', '--repeats', '1', '--warm-up', '0',
            '--samples', '1', '--quiet']


@pytest.fixture(scope='module')
def rows(command: list) -> list:
    return data.run(benchmark_arguments(command))


def test_a_pipeline_is_measured_for_training_and_for_testing(rows):
    whole = [row for row in rows if row.name == data.TOTAL]
    assert [row.mode for row in whole] == ['training', 'test']
    for row in whole:
        assert row.facts['samples_per_s'] == pytest.approx(1 / row.median_s)
        assert 0 < row.median_s < 60 and row.repeats == 1 and row.shape == '1 keyframe'


def test_the_steps_are_those_of_the_recipe_and_fill_the_time(rows):
    total, *steps = [row for row in rows if row.mode == 'test']
    assert [row.name for row in steps] == [data.REST, 'GeminiLoadImages', 'GeminiLoadPoints',
                                           'GeminiAugmentImages', 'PointsRangeFilter', 'Pack3DDetInputs']
    # Of one timing, the parts are the whole.
    assert sum(row.median_s for row in steps) == pytest.approx(total.median_s)


def test_the_table_has_a_line_per_step(rows):
    lines = data.markdown(rows).splitlines()
    assert len(lines) == 4 + len(rows) and '| **whole pipeline** | training |' in data.markdown(rows)


def test_a_transform_that_stands_twice_gets_its_number():
    assert data._unique(['a', 'b', 'a']) == ['a', 'b', 'a (2)']
