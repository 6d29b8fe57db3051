"""The comparisons: recipes of one budget, a table by hand, a page that keeps what it lists."""
import json

import pytest
from mmengine.config import Config

from gemini_lab.compare import task_run
from gemini_lab.compare.command import REPO
from gemini_lab.compare.tasks import TASKS

CAMERAS, RADARS, BOTH = (f'geminifusion3d_{name}_compare' for name in (
    'cam', 'cam-radar_n-way', 'lidar-cam_n-way'))


def result(variant: str, seed: int, mAP: float, **other) -> dict:
    """Returns what a run of the sensors keeps."""
    scores = dict(mAP=mAP, NDS=0.5, mAVE=1.25, samples=40, **other)
    return dict(variant=variant, seed=seed, scores=scores, steps=600, batch_size=1, train_samples=200,
                step_s=0.25, processor='a processor', date='2026-11-27')


@pytest.fixture
def page(tmp_path):
    """A page with the block and runs of three models; BOTH is what the others are compared with."""
    path = tmp_path / 'radar.md'
    path.write_text('# Radar\n<!-- sensors:start -->\n<!-- sensors:end -->\nend\n')
    runs = [result(CAMERAS, 1, 0.3), result(CAMERAS, 0, 0.1), result(RADARS, 0, 0.25, radar_delta=-0.125),
            result(BOTH, 0, 0.2), result(BOTH, 1, 0.5), result(BOTH, 2, 0.8)]
    (tmp_path / 'trained_sensors.json').write_text(json.dumps(dict(runs=runs)))
    return path


@pytest.mark.parametrize('task', TASKS)
def test_the_models_of_a_task_share_data_budget_and_schedule(task):
    recipes = [Config.fromfile(REPO / 'configs' / f'{name}.py') for name in TASKS[task].models]
    for cfg in recipes:
        for key in ('data_root', 'train_cfg', 'param_scheduler', 'optim_wrapper', 'auto_scale_lr'):
            assert cfg[key] == recipes[0][key]
        assert cfg.train_dataloader.batch_size == recipes[0].train_dataloader.batch_size
        heads = [model.get('bbox_head') or model.get('seg_head') or model.get('pts_bbox_head')
                 for model in (cfg.model, recipes[0].model)]
        assert heads[0] == heads[1]


def test_the_table_is_written_twice_with_the_same_bytes(page, gemini3d):
    written = []
    for _ in range(2):
        ended = gemini3d('compare-tasks', 'sensors', '--table-only', '--page', page)
        assert ended.returncode == 0, ended.stderr
        written.append((page.read_bytes(), (page.parent / 'trained_sensors.json').read_bytes()))
    assert written[0] == written[1]
    text = page.read_text()
    # (0.1 + 0.3) / 2, and sqrt(0.02); the differences are -0.1 and -0.2, whose mean has the standard error
    # 0.05, of which Student's t makes 12.706 times as much with one degree of freedom.
    assert ('| cameras | 2 | 0.200 ± 0.141 | 0.500 ± 0.000 | 1.250 ± 0.000 | – | 0.100, 0.300 | '
            '-0.150 [-0.785, +0.485] | 0.25 |' in text)
    assert '| cameras, radars | 1 | 0.250 | 0.500 | 1.250 | -0.125 | 0.250 | +0.050 | 0.25 |' in text
    assert '| 0.200, 0.500, 0.800 | – | 0.25 |' in text and 'mAP minus cameras, LiDAR' in text
    assert '600 steps of 1 of 200 samples, scored on 40 others' in text and text.endswith('end\n')
    assert 'Trained on 2026-11-27; seconds of one thread of a processor.' in text


def test_runs_of_two_budgets_are_no_table(page, gemini3d):
    path = page.parent / 'trained_sensors.json'
    runs = json.loads(path.read_text())['runs']
    path.write_text(json.dumps(dict(runs=[*runs, dict(result(RADARS, 1, 0.2), steps=1200)])))
    before = page.read_bytes()
    ended = gemini3d('compare-tasks', 'sensors', '--table-only', '--page', page)
    assert ended.returncode == 2 and 'which no table may mix' in ended.stderr and page.read_bytes() == before


@pytest.mark.parametrize('arguments, message', [
    (['sensors', '--table-only'], 'there is no run of sensors to show'),
    (['map', '--models', 'nothing'], '--models got nothing; expected words in geminifusion3d_cam_compare-')])
def test_a_mistake_ends_in_one_line(gemini3d, arguments, message):
    ended = gemini3d('compare-tasks', *arguments)
    assert ended.returncode == 2 and message in ended.stderr


def test_silent_radars_are_scored_beside_the_sound_ones(tmp_path, monkeypatch):
    config = REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam-radar_synthetic-mini.py'
    run = task_run.Training(task_run.Recipe(config), 0, tmp_path, {}, dict(max_epochs=1))
    run.prepare()
    monkeypatch.setattr(task_run, 'train', lambda cfg, run: dict(steps=80))
    monkeypatch.setattr(task_run, '_test', lambda cfg, run, name: dict(mAP=0.25 if name == 'all' else 0.125))
    found = task_run.train_and_test(run)
    assert found['scores'] == dict(mAP=0.25, radar_delta=-0.125)
    assert (found['epochs'], found['steps']) == (1, 80)


@pytest.mark.parametrize('content', ['{"runs": 3', '{"runs": [{"seed": 1}]}', '[]', '{"runs": [3]}'])
def test_a_damaged_list_of_runs_is_named_and_left_alone(page, gemini3d, content):
    path = page.parent / 'trained_sensors.json'
    path.write_text(content)
    ended = gemini3d('compare-tasks', 'sensors', '--table-only', '--page', page)
    assert ended.returncode == 2 and f'error: {path} is no list of runs' in ended.stderr
    assert ended.stderr.count('\n') == 1 and path.read_text() == content


def test_a_page_without_the_block_is_refused_before_anything_is_trained(page, gemini3d, tmp_path):
    for name in (page, tmp_path / 'absent.md'):
        ended = gemini3d('compare-tasks', 'map', '--page', name, '--work-dir', tmp_path / 'runs')
        assert ended.returncode == 2 and 'map' in ended.stderr and ended.stderr.count('\n') == 1
    assert not (tmp_path / 'runs').exists()
