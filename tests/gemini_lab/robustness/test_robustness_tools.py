"""The command on a tiny dataset with an untrained detector: through the devkit to the reports."""
import json
from pathlib import Path
from typing import Callable

import pytest
import torch
from commands import Gemini3d
from mmengine.config import Config
from tiny_detector import CONFIG, build_detector
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes

SMALL_GRID = dict(range_m=[-12.0, -8.0, -3.0, 12.0, 8.0, 3.0], cell_m=1.0)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, a recipe of a small grid and a checkpoint for it."""
    root = tmp_path_factory.mktemp('robustness')
    write_tiny_nuscenes(root / 'data', scenes=('scene-0103', 'scene-0916'), keyframes=2)
    convert_nuscenes(root / 'data', 'v1.0-mini', root / 'data')
    torch.save(dict(state_dict=build_detector().state_dict(), meta={}), root / 'model.pth')
    cfg = Config.fromfile(CONFIG)
    cfg.merge_from_dict({'model.bev_grid': SMALL_GRID, 'env_cfg.torch_threads': 1})
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.dataset.data_root = str(root / 'data')
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.data_root = str(root / 'data')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = loader.dataset
        while 'pipeline' not in dataset:
            dataset = dataset.dataset
        for step in dataset.pipeline:
            if step.type.endswith('RangeFilter'):
                step.point_cloud_range = SMALL_GRID['range_m']
    cfg.dump(root / 'recipe.py')
    return root


@pytest.fixture
def run(gemini3d: Gemini3d, folder: Path) -> Callable:
    """Runs the command with the recipe and the checkpoint."""
    return lambda *words: gemini3d('robustness', folder / 'recipe.py', folder / 'model.pth', *words)


def test_the_suite_writes_its_reports_and_runs_nothing_twice(run, folder, tmp_path):
    choice = ('--corruptions', 'temporalmisalignment', 'fog', '--severities', '3', '--work-dir', tmp_path)
    done = run(*choice)
    assert done.returncode == 0, done.stderr
    assert '[3/3] temporalmisalignment-3: mAP' in done.stdout
    assert 'mRA over 2 of 10 corruptions' in done.stdout
    content = json.loads((tmp_path / 'robustness.json').read_text())
    summary = json.loads((tmp_path / 'fog-3' / 'metrics_summary.json').read_text())
    assert content['scores']['fog']['3'] == dict(mAP=summary['mean_ap'], NDS=summary['nd_score'])
    assert 'published table' in (tmp_path / 'robustness.md').read_text()
    assert '3 of 3 evaluations are done' in run(*choice).stdout


def test_failures_run_through_the_devkit_by_name(run, tmp_path):
    done = run('--corruptions', 'objectfailure', 'stuckcamera', 'lidardrop', '--severities', '3',
               '--work-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    assert '[4/4] lidardrop-3: mAP' in done.stdout and 'over these 3' in done.stdout
    assert 'MoME' in (tmp_path / 'robustness.md').read_text()


def test_the_deltas_of_the_modalities_come_with_one_flag(run, tmp_path):
    done = run('--modalities', '--work-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / 'modalities.json').read_text())
    assert [row['condition'] for row in rows] == ['clean', 'cameras-black', 'cameras-shuffled', 'lidar-empty']
    assert rows[0]['NDS_delta'] == 0 and 'cameras shuffled' in done.stdout


def test_what_augmentation_gains_and_costs_comes_with_one_flag(run, tmp_path):
    done = run('--tta', 'flip-x', '--work-dir', tmp_path)
    assert done.returncode == 0, done.stderr
    plain, flipped = json.loads((tmp_path / 'tta_gain.json').read_text())
    summary = json.loads((tmp_path / 'flip-x' / 'metrics_summary.json').read_text())
    assert flipped['NDS'] == summary['nd_score']
    assert flipped['NDS_gain'] == flipped['NDS'] - plain['NDS']
    # Two variants cost twice the time, within what a busy machine makes of it.
    assert plain['cost'] == 1 and 1.2 < flipped['cost'] < 5
    assert 'flip-x' in done.stdout.splitlines()[-1]


def test_mistakes_end_in_one_line(run, tmp_path):
    done = run('--modalities', '--tta', '--work-dir', tmp_path)
    assert done.returncode == 2 and done.stderr.startswith('error: got --modalities and --tta')
    done = run('--failures', '--corruptions', 'fog')
    assert done.returncode == 2 and 'got --corruptions and --failures; run one' in done.stderr
    done = run('--corruptions', 'rain')
    assert done.returncode == 2 and '--corruptions got rain; expected some of beamsreducing' in done.stderr
