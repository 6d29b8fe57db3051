"""The average of the weights: what it is, where it is saved, and that it survives a kill."""
import shutil
from pathlib import Path

import pytest
import torch
from toy_training import run_test, run_train, write_config

from geminifusion3d.engine import read_checkpoint

KEEP_ALL = 'default_hooks.checkpoint.max_keep_ckpts=9'
AVERAGED = '''
optim_wrapper['type'] = 'GeminiOptimWrapper'
custom_hooks.append(dict(type='GeminiEMAHook', momentum=0.5))
'''
WEIGHT = 'layers.0.weight'


def weights_by_epoch(run: Path) -> list:
    """Returns (average, weight) of one layer after each epoch."""
    read = [read_checkpoint(run / f'epoch_{epoch}.pth') for epoch in (1, 2, 3, 4)]
    return [(state['state_dict'][WEIGHT], state['ema_state_dict']['module.' + WEIGHT]) for state in read]


@pytest.fixture(scope='module')
def averaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of one step an epoch: four iterations are summed."""
    folder = tmp_path_factory.mktemp('averaged')
    config = write_config(folder, extra=AVERAGED + "optim_wrapper['accumulative_counts'] = 4\n")
    run_train(config, folder / 'run', '--cfg-options', KEEP_ALL)
    return folder


def test_each_step_counts_once_with_the_warm_up_of_the_average(averaged: Path) -> None:
    expected = None
    for step, (average, weight) in enumerate(weights_by_epoch(averaged / 'run')):
        share = max(0.5, 100 / (100 + step))
        expected = weight if step == 0 else (1 - share) * expected + share * weight
        torch.testing.assert_close(average, expected)
    assert not torch.equal(average, weight)


def test_tests_use_the_average_and_say_so(averaged: Path, tmp_path: Path,
                                          capfd: pytest.CaptureFixture) -> None:
    config, checkpoint = averaged / 'toy4.py', averaged / 'run/epoch_4.pth'
    with_hook = run_test(config, checkpoint, tmp_path / 'with')
    assert 'are the moving average of its training' in capfd.readouterr().out
    plain = write_config(tmp_path)
    assert run_test(plain, checkpoint, tmp_path / 'without') == with_hook
    # The other weights give another result.
    state = read_checkpoint(checkpoint)
    raw = {key.removeprefix('module.'): value for key, value in state['ema_state_dict'].items()
           if key.startswith('module.')}
    torch.save({'state_dict': raw}, tmp_path / 'raw.pth')
    assert run_test(plain, tmp_path / 'raw.pth', tmp_path / 'raw') != with_hook


def test_a_resumed_run_continues_average_and_weights(averaged: Path, tmp_path: Path) -> None:
    work_dir = tmp_path / 'resumed'
    work_dir.mkdir()
    shutil.copy(averaged / 'run/epoch_2.pth', work_dir / 'epoch_2.pth')
    run_train(averaged / 'toy4.py', work_dir, '--resume')
    whole, resumed = (read_checkpoint(run / 'epoch_4.pth') for run in (averaged / 'run', work_dir))
    for part in ('state_dict', 'ema_state_dict'):
        assert all(torch.equal(value, resumed[part][key]) for key, value in whole[part].items())
