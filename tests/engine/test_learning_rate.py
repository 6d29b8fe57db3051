"""The learning rate follows the real batch size, in the optimiser and in the schedule."""
from pathlib import Path

import pytest
from toy_training import run_train, write_config

from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.engine.learning_rate import (batch_size_ratio, last_epoch, scaled_schedules,
                                                 with_group_rates)
from geminifusion3d.engine.loss_hooks import read_curve
from geminifusion3d.errors import UserError

SCHEDULE = "param_scheduler = [dict(type='OneCycleLR', eta_max={peak}, total_steps=16, by_epoch=False)]\n"


def test_processes_samples_and_accumulation_multiply() -> None:
    base = dict(enable=True, base_batch_size=32)
    assert batch_size_ratio(base, processes=8, batch_size=4, accumulated=1) == 1.0
    assert batch_size_ratio(base, processes=1, batch_size=2, accumulated=16) == 1.0
    assert batch_size_ratio(base, processes=2, batch_size=4, accumulated=1) == 0.25
    assert batch_size_ratio(None, processes=2, batch_size=4, accumulated=1) == 1.0


def test_another_batch_size_without_scaling_is_refused() -> None:
    message = r'batches of 32 samples, but 1 processes x 4 samples x 2 accumulated iterations = 8'
    with pytest.raises(UserError, match=message):
        batch_size_ratio(dict(enable=False, base_batch_size=32), processes=1, batch_size=4, accumulated=2)
    with pytest.raises(UserError, match='no base_batch_size'):
        batch_size_ratio(dict(enable=True), processes=1, batch_size=4, accumulated=2)


def test_a_schedule_scales_its_rates_and_nothing_else() -> None:
    given = [dict(type='CosineAnnealingLR', eta_min=0.4, T_max=8),
             dict(type='CosineAnnealingMomentum', eta_min=0.85, T_max=8),
             dict(type='LinearLR', start_factor=0.1), dict(type='OneCycleLR', eta_max=0.2)]
    scaled = scaled_schedules(given, 0.5)
    assert [part.get('eta_min', part.get('eta_max')) for part in scaled] == [0.2, 0.85, None, 0.1]
    assert scaled[2] == given[2]
    assert given[0]['eta_min'] == 0.4


def test_a_schedule_knows_its_last_epoch() -> None:
    warm_up = dict(type='LinearLR', end=500, by_epoch=False)
    assert last_epoch([warm_up, dict(type='CosineAnnealingLR', begin=8, T_max=12)]) == 20
    assert last_epoch(dict(type='OneCycleLR', total_steps=6, by_epoch=True)) == 6
    assert last_epoch([warm_up]) is last_epoch(None) is None


def test_a_training_shorter_than_its_schedule_says_so(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    config = write_config(tmp_path)
    run_train(config, tmp_path / 'run')
    assert 'the schedule of the learning rate ends' not in capfd.readouterr().out
    run_train(config, tmp_path / 'short', '--cfg-options', 'train_cfg.max_epochs=1')
    assert 'the schedule of the learning rate ends with epoch 4, training with 1' in capfd.readouterr().out


def test_one_cycle_keeps_the_rates_of_the_groups_and_names_a_rate_without_effect(tmp_path: Path) -> None:
    """Group 2 at a tenth of the rate: with 16 steps, one cycle ends at 1/25/1e4 of either peak."""
    given = [[dict(type='OneCycleLR', eta_max=0.01, total_steps=16)], dict(type='LinearLR', end=3)]
    assert with_group_rates(given, 0.01, [0.01, 0.01]) == given and with_group_rates(None, 1, [1]) is None
    assert with_group_rates(given, 0.01, [0.01, 0.001])[0][0]['eta_max'] == [0.01, 0.001]
    assert scaled_schedules(dict(type='OneCycleLR', eta_max=[4, 2]), 0.5)['eta_max'] == [2, 1]
    with pytest.raises(UserError, match='eta_max=0.01, so that the optimiser.s lr=0.001 would have no'):
        with_group_rates(given, 0.001, [0.001])
    config = write_config(tmp_path, extra=SCHEDULE.format(peak=0.01))
    with pytest.raises(UserError, match='--cfg-options lr=0.005'):
        run_train(config, tmp_path / 'run', '--cfg-options', 'optim_wrapper.optimizer.lr=0.005')
    extra = SCHEDULE.format(peak=0.01) + (
        "optim_wrapper['paramwise_cfg'] = dict(custom_keys={'layers.3': dict(lr_mult=0.1)})\n")
    run_train(write_config(tmp_path, extra=extra), tmp_path / 'grouped')
    schedules = read_checkpoint(tmp_path / 'grouped/epoch_4.pth')['param_schedulers']
    assert sorted(set(schedules[0]['_last_value'])) == pytest.approx([0.001 / 25 / 1e4, 0.01 / 25 / 1e4])


@pytest.mark.parametrize('schedule, times', [
    (SCHEDULE, 1),
    ("param_scheduler = [dict(type='CosineAnnealingLR', eta_min={peak}, T_max=16, by_epoch=False)]\n", 10)])
def test_a_run_with_half_the_batch_learns_at_half_the_rate_throughout(
        tmp_path: Path, capfd: pytest.CaptureFixture, schedule: str, times: int) -> None:
    """Both the start and the target of a schedule are absolute numbers."""
    rates = {}
    for name, rate, base in (('scaled', 0.01, 4), ('written', 0.005, 2)):
        extra = (schedule.format(peak=times * rate)
                 + f"optim_wrapper['optimizer']['lr'] = {rate}\n"
                 + f'auto_scale_lr = dict(enable=True, base_batch_size={base})\n')
        folder = tmp_path / name
        folder.mkdir()
        run_train(write_config(folder, extra=extra), folder / 'run')
        rates[name] = [row['lr'] for row in read_curve(folder / 'run/loss_curve.jsonl')]
    assert rates['scaled'] == pytest.approx(rates['written'], rel=1e-9)
    printed = capfd.readouterr().out
    assert 'learning rate 0.01 x 0.5 = 0.005: it belongs to batches of 4 samples, real ones have 2' in printed


def test_a_run_whose_rate_belongs_to_another_batch_size_does_not_start(tmp_path: Path) -> None:
    extra = 'auto_scale_lr = dict(enable=False, base_batch_size=4)\n'
    with pytest.raises(UserError, match='batches of 4 samples, but 1 processes x 2 samples'):
        run_train(write_config(tmp_path, extra=extra), tmp_path / 'run')


def test_a_training_is_not_resumed_with_another_batch_size(tmp_path: Path) -> None:
    config = write_config(tmp_path, extra="optim_wrapper['type'] = 'GeminiOptimWrapper'\n")
    run_train(config, tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=2')
    for option, got in (('optim_wrapper.accumulative_counts=2', '2 samples per iteration x 2'),
                        ('train_dataloader.batch_size=4', '4 samples per iteration x 1')):
        with pytest.raises(UserError, match=f'with 2 samples per iteration x 1 .* got {got}'):
            run_train(config, tmp_path / 'run', '--resume', '--cfg-options', option)


def test_a_training_longer_than_its_schedule_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='ends with epoch 4, training with 6: nothing would be learned'):
        run_train(write_config(tmp_path), tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=6')


def test_a_warm_up_alone_is_no_end_of_the_rate() -> None:
    assert last_epoch([dict(type='LinearLR', end=3), dict(type='ConstantLR', end=2)]) is None


def test_a_training_cannot_be_lengthened_by_resuming(tmp_path: Path) -> None:
    run_train(write_config(tmp_path), tmp_path / 'run')
    # The checkpoint brings its own schedule: without a word the rate would end after the old four epochs.
    with pytest.raises(UserError, match=r'another one in .*epoch_4.pth: expected \(.CosineAnnealingLR.*got'):
        run_train(write_config(tmp_path), tmp_path / 'run', '--resume', 'auto', '--cfg-options',
                  'train_cfg.max_epochs=8', 'param_scheduler.0.T_max=8')
