"""The hooks of training: loss curve, finite losses, seeds."""
import json
import random
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_training import in_processes, run_train, write_config

from geminifusion3d.engine.loss_hooks import Culprits, find_culprits, read_curve
from geminifusion3d.engine.seed_hook import GeminiSeedHook, seed_everything
from geminifusion3d.errors import UserError


def test_training_stops_at_the_first_loss_that_is_no_number(tmp_path: Path) -> None:
    config = write_config(tmp_path, extra="model['poison_at'] = 7\n")
    message = 'stopped at epoch 2, iteration 7: expected finite losses, got loss = nan, loss_line'
    with pytest.raises(UserError, match=message):
        run_train(config, tmp_path / 'run')
    # The checkpoint to go back to is the one before.
    assert [path.name for path in (tmp_path / 'run').glob('*.pth')] == ['epoch_1.pth']
    assert len(read_curve(tmp_path / 'run/loss_curve.jsonl')) == 6


def test_spoilt_weights_are_not_saved(tmp_path: Path) -> None:
    # The last update of the epoch ruins the weights after a loss that was still finite.
    extra = "optim_wrapper['optimizer'].update(type='SGD', lr=1e38)\n"
    config = write_config(tmp_path, extra=extra + "train_dataloader['batch_size'] = 8\n")
    with pytest.raises(UserError, match='weights are not finite|expected finite losses'):
        run_train(config, tmp_path / 'run')
    for path in (tmp_path / 'run').glob('*.pth'):
        weights = torch.load(path, weights_only=True)['state_dict'].values()
        assert all(bool(torch.isfinite(weight).all()) for weight in weights)


def test_a_curve_line_holds_exact_losses_and_no_times(tmp_path: Path) -> None:
    run_train(write_config(tmp_path), tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    rows = read_curve(tmp_path / 'run/loss_curve.jsonl')
    assert [(row['epoch'], row['iter']) for row in rows] == [(1, 1), (1, 2), (1, 3), (1, 4)]
    assert set(rows[0]) == {'epoch', 'iter', 'lr', 'loss', 'loss_line'}
    assert rows[0]['loss'] == rows[0]['loss_line'] > 0


def test_an_unfinished_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / 'loss_curve.jsonl'
    assert read_curve(path) == []
    path.write_text(json.dumps({'iter': 1}) + '\n{"iter": 2, "lo')
    assert read_curve(path) == [{'iter': 1}]


def test_a_new_run_starts_a_new_curve(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    run_train(config, tmp_path / 'run')
    run_train(config, tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    assert len(read_curve(tmp_path / 'run/loss_curve.jsonl')) == 4


def draw() -> tuple:
    """Draws one number from each global generator."""
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_each_combination_of_numbers_is_a_stream_of_its_own() -> None:
    drawn = []
    for entropy in ((1, 0, 5), (1, 0, 6), (0, 1, 5), (1, 0, 5)):
        seed_everything(*entropy)
        drawn.append(draw())
    assert drawn[0] == drawn[3]
    assert len(set(drawn)) == 3


SKIPPING = "optim_wrapper['type'] = 'GeminiOptimWrapper'\n"


def test_a_bad_sample_is_skipped_and_the_training_goes_on(tmp_path: Path,
                                                          capfd: pytest.CaptureFixture) -> None:
    extra = SKIPPING + "train_dataloader['dataset']['poison'] = [5]\n"
    assert run_train(write_config(tmp_path, extra=extra), tmp_path / 'run') == 0
    rows = read_curve(tmp_path / 'run/loss_curve.jsonl')
    # Eight samples in batches of two, four epochs: the bad one is met once in each epoch.
    skipped = [row for row in rows if 'skipped' in row]
    assert [row['epoch'] for row in skipped] == [1, 2, 3, 4] and len(rows) == 16
    assert all(row['loss'] is None and row['tokens'] == [] for row in skipped)
    assert all(row['loss'] > 0 for row in rows if 'skipped' not in row)
    state = torch.load(tmp_path / 'run/epoch_4.pth', weights_only=True)['state_dict']
    assert all(bool(value.isfinite().all()) for value in state.values())
    printed = capfd.readouterr().out
    assert 'nothing was changed: the loss is not finite, loss = nan, loss_line = nan' in printed


def test_several_skipped_steps_in_a_row_end_the_training(tmp_path: Path) -> None:
    extra = (SKIPPING + "train_dataloader['dataset']['poison'] = list(range(8))\n"
             "custom_hooks[1]['max_failures'] = 3\n")
    with pytest.raises(UserError, match='epoch 1, iteration 3: 3 steps in a row were skipped'):
        run_train(write_config(tmp_path, extra=extra), tmp_path / 'run')


def test_failures_are_counted_by_step_not_by_batch(tmp_path: Path) -> None:
    extra = (SKIPPING + "optim_wrapper['accumulative_counts'] = 2\n"
             "train_dataloader['dataset']['poison'] = list(range(8))\n"
             "custom_hooks[1]['max_failures'] = 3\n")
    with pytest.raises(UserError, match='epoch 2, iteration 6: 3 steps in a row were skipped'):
        run_train(write_config(tmp_path, extra=extra), tmp_path / 'run')


def test_the_tokens_of_a_batch_are_those_of_its_samples() -> None:
    samples = [SimpleNamespace(metainfo=dict(token='a')), SimpleNamespace(metainfo=dict(token='b'))]
    found = find_culprits(dict(data_samples=samples), dict(loss=torch.tensor(float('inf'))))
    assert found == Culprits(tokens=['a', 'b'], losses=['loss = inf'])
    assert find_culprits(dict(x=1), None) == Culprits(tokens=[], losses=[])


def test_a_bad_sample_of_one_process_is_skipped_by_both(tmp_path: Path) -> None:
    extra = SKIPPING + "train_dataloader['dataset']['poison'] = [5]\ntrain_dataloader['batch_size'] = 4\n"
    config = write_config(tmp_path, extra=extra)
    assert in_processes(2, partial(run_train, config, tmp_path / 'run', '--launcher', 'pytorch',
                                   '--cfg-options', 'train_cfg.max_epochs=3')) == [2, 2]
    # No step has changed a weight: not a success. Two processes of four samples see all eight in each
    # iteration: every step meets the bad one.
    rows = read_curve(tmp_path / 'run/loss_curve.jsonl')
    assert ['the loss is not finite' in row['skipped'] for row in rows] == [True] * 3
    state = torch.load(tmp_path / 'run/epoch_3.pth', weights_only=True)
    assert state['optimizer']['state'] == {} and state['state_dict']['layers.1.num_batches_tracked'] == 0


def test_the_seed_of_an_iteration_depends_on_seed_iteration_and_rank() -> None:
    def drawn(seed: int, iteration: int, rank: int) -> tuple:
        runner = SimpleNamespace(seed=seed, iter=iteration, epoch=2, rank=rank)
        GeminiSeedHook().before_train_iter(runner, 0)
        in_iteration = draw()
        GeminiSeedHook().before_train_epoch(runner)
        return in_iteration, draw()

    first = drawn(1, 5, 0)
    assert first == drawn(1, 5, 0)
    # Another process draws other numbers, in the iteration and at the start of an epoch.
    assert not set(first) & set(drawn(1, 5, 1))
    assert first[0] != drawn(1, 6, 0)[0] and first[0] != drawn(2, 5, 0)[0]
