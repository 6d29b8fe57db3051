"""The input pipeline's benchmark on a tiny dataset, from the command line on."""
from pathlib import Path

import pytest
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from gemini_lab.benchmark.arguments import parse_arguments
from gemini_lab.benchmark.data_tables import OURS, STEP, WHOLE
from gemini_lab.benchmark.rows import find_row
from gemini_lab.benchmark.subcommands import data
from geminifusion3d.errors import UserError

REPO = Path(__file__).resolve().parents[3]
CONFIG = str(REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py')
HOST = "host's transforms"


@pytest.fixture(scope='module')
def command(tmp_path_factory: pytest.TempPathFactory) -> list:
    """The command line for the demo's recipe on a converted tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])
    convert_nuscenes(root, 'v1.0-mini', root)
    return ['data', '--config', CONFIG, '--data-root', str(root), '--ann-file',
            'geminifusion3d_infos_mini_train.pkl', '--repeats', '1', '--warm-up', '0', '--samples', '1', '--quiet']


@pytest.fixture(scope='module')
def rows(command: list) -> list:
    return data.run(parse_arguments(command))


def test_each_pipeline_is_measured_for_training_and_for_testing(rows):
    whole = [row for row in rows if not row.mode.startswith(STEP)]
    assert [(row.name, row.mode) for row in whole] == [
        (name, mode) for mode in ('training', 'test') for name in (OURS, WHOLE, HOST)]
    assert {row.shape for row in whole} == {'6 x 1600 x 900 to 448 x 160, 5 sweeps'}
    for row in whole:
        assert row.facts['samples_per_s'] == pytest.approx(1 / row.median_s)
        assert 0 < row.median_s < 60 and row.repeats == 1


def test_the_steps_are_those_of_the_recipe_and_fill_the_time(rows):
    steps = [row for row in rows if row.mode == f'{STEP}test' and row.name.startswith(f'{OURS}: ')]
    assert [row.name.removeprefix(f'{OURS}: ') for row in steps][1:] == [
        'GeminiLoadImages', 'GeminiLoadPoints', 'GeminiAugmentImages', 'PointsRangeFilter', 'Pack3DDetInputs']
    total_s = find_row(rows, OURS, mode='test').median_s
    assert sum(row.median_s for row in steps) == pytest.approx(total_s, rel=0.2, abs=0.01)


def test_what_reduced_decoding_costs_is_told(rows):
    ours, whole = (find_row(rows, name, mode='test').facts for name in (OURS, WHOLE))
    assert ours['psnr_db'] > 25 and whole['psnr_db'] > 25
    assert 'psnr_db' not in find_row(rows, HOST, mode='test').facts


def test_a_dataset_whose_keyframes_have_too_few_sweeps_is_refused(command):
    with pytest.raises(UserError, match='no keyframe with 40 sweeps before it; .* fewer --sweeps'):
        data.run(parse_arguments([*command, '--sweeps', '40']))


def test_the_number_of_sweeps_is_that_of_all_pipelines():
    steps = [dict(type='GeminiLoadImages'), dict(type='LoadPointsFromMultiSweeps', sweeps_num=9)]
    assert data.with_sweeps(steps, 0) == [steps[0], dict(type='LoadPointsFromMultiSweeps', sweeps_num=0)]
    assert data.with_sweeps(steps, None) == steps and steps[1]['sweeps_num'] == 9


def test_a_recipe_of_one_sensor_is_refused(command):
    lidar = CONFIG.replace('lidar-cam', 'lidar')
    with pytest.raises(UserError, match='has no GeminiAugmentImages|has no GeminiLoadPoints and'):
        data.run(parse_arguments([lidar if word == CONFIG else word for word in command]))
