"""The commands end as users expect: one sentence for a mistake, a way to go on after Ctrl-C."""
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.runner import EpochBasedTrainLoop
from ten_objects import META, write_infos
from toy_training import run_train, write_config

from geminifusion3d.commands.main import parse
from geminifusion3d.commands.train_and_test import (TEST, VAL, _is_validation_lost, check_evaluated,
                                                    train_config)
from geminifusion3d.errors import UserError
from geminifusion3d.results.nuscenes_metric import GeminiNuScenesMetric


@pytest.mark.parametrize('extra, message', [
    ("model['type'] = 'ToyModle'\n",
     "type='ToyModle' is no registered model: did you mean ToyModel"),
    ("model['depth'] = 3\n", "ToyModel got an unexpected keyword argument 'depth'"),
    ("del model['width']\n", "ToyModel missing 1 required keyword-only argument: 'width'"),
    ("train_dataloader['dataset']['type'] = 'Nowhere'\n",
     "type='Nowhere' is no registered dataset: correct the name"),
    ("train_dataloader['dataset']['ann_file'] = 'gone.pkl'\n",
     'info file gone.pkl does not exist'),
    ("del optim_wrapper\n", 'has no optim_wrapper'),
    ("train_dataloader['dataset']['length'] = 'many'\n", "type='DefaultSampler': TypeError: 'str' object"),
    ("train_dataloader['batch_size'] = 0\n", 'dataloader: ValueError: batch_size should be a positive'),
    ("param_scheduler[0]['T_max'] = 'x'\n", 'TypeError: .*correct its values'),
    ("optim_wrapper.update(type='GeminiOptimWrapper', precision='fp8')\n",
     "type='GeminiOptimWrapper': got precision='fp8'; expected one of fp32, fp16, bf16"),
    ("optim_wrapper['optimizer']['lr'] = -1.0\n", "type='AdamW': ValueError: Invalid learning rate"),
    ("custom_hooks[1]['max_failures'] = 0\n", 'max_failures must be at least 1, got 0'),
    ("env_cfg = 3\n", 'AttributeError')])
def test_a_mistake_in_the_config_is_one_sentence(tmp_path: Path, extra: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as refusal:
        run_train(write_config(tmp_path, extra=extra), tmp_path / 'run')
    assert '\n' not in str(refusal.value)


def test_an_error_of_the_model_keeps_its_traceback(tmp_path: Path) -> None:
    # Asked for when a sample is loaded, not when the dataset is built.
    config = write_config(tmp_path, extra="train_dataloader['dataset']['poison'] = 3\n")
    with pytest.raises(TypeError):
        run_train(config, tmp_path / 'run')


def test_ctrl_c_says_how_to_go_on_and_exits_with_130(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    config = write_config(
        tmp_path, extra="custom_hooks.append(dict(type='ToyInterruptHook', at_iter=6))\n")
    monkeypatch.setattr('sys.argv', ['tools/train.py', str(config)])
    assert run_train(config, tmp_path / 'run') == 130
    printed = capfd.readouterr().err
    assert f'python tools/train.py {config} --resume auto' in printed


def test_ctrl_c_of_a_resumed_run_names_resume_once(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    config = write_config(
        tmp_path, extra="custom_hooks.append(dict(type='ToyInterruptHook', at_iter=6))\n")
    monkeypatch.setattr('sys.argv', ['tools/train.py', str(config), '--resume', 'auto', '--amp', 'bf16'])
    run_train(config, tmp_path / 'run', '--resume', 'auto')
    assert capfd.readouterr().err.endswith(f'{config} --amp bf16 --resume auto\n')


def arguments_of(config: Path, *more: str) -> object:
    """Parses a training command line."""
    return parse('train', str(config), *more)


def test_arguments_reach_the_config(tmp_path: Path) -> None:
    extra = 'auto_scale_lr = dict(enable=False, base_batch_size=4)\n'
    config = write_config(tmp_path, extra=extra)
    cfg = train_config(arguments_of(config, '--amp', 'fp16', '--auto-scale-lr', '--resume'))
    assert cfg.optim_wrapper.type == 'GeminiOptimWrapper'
    assert cfg.optim_wrapper.precision == 'fp16'
    assert cfg.auto_scale_lr.enable
    assert cfg.resume and cfg.load_from is None
    assert cfg.work_dir == 'work_dirs/toy4'


@pytest.mark.parametrize('more, message', [
    (['--auto-scale-lr'], 'base_batch_size=N'),
    (['--resume', 'gone.pth'], 'checkpoint gone.pth does not exist'),
    (['--amp', 'bf16', '--cfg-options', 'optim_wrapper.type=Other'], 'got Other')])
def test_arguments_that_cannot_work_are_named(tmp_path: Path, more: list, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train_config(arguments_of(write_config(tmp_path), *more))


def test_an_override_of_the_evaluation_that_is_not_made_is_refused_with_the_one_that_is() -> None:
    with pytest.raises(UserError, match='a test reads test_dataloader; give test_dataloader.batch_size'):
        check_evaluated({'val_dataloader.batch_size': 4}, TEST)
    with pytest.raises(UserError, match='a training reads val_evaluator; give val_evaluator.meta'):
        check_evaluated({'test_evaluator.meta': {}}, VAL)
    both = {'val_dataloader.num_workers': 0, 'test_dataloader.num_workers': 0}
    for evaluated in (VAL, TEST):
        check_evaluated({**both, 'test_pipeline.0.reduce': 2, 'train_dataloader.num_workers': 0}, evaluated)


def test_an_override_without_a_value_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='KEY=VALUE'):
        arguments_of(write_config(tmp_path), '--cfg-options', 'train_cfg.max_epochs')


def test_a_validation_is_lost_where_no_scores_are_newer_than_the_checkpoint(tmp_path: Path) -> None:
    checkpoint, scores = tmp_path / 'epoch_4.pth', tmp_path / 'metrics_summary.json'
    metric = GeminiNuScenesMetric(data_root=str(tmp_path), ann_file=str(write_infos(tmp_path / 'i.pkl')),
                                  meta=META, out_dir=str(tmp_path))
    loop = object.__new__(EpochBasedTrainLoop)
    loop.val_begin, loop.val_interval = 1, 3
    runner = SimpleNamespace(train_loop=loop, epoch=4, max_epochs=4, resumed_from=checkpoint,
                             val_loop=SimpleNamespace(evaluator=SimpleNamespace(metrics=[metric])))
    checkpoint.touch()
    assert _is_validation_lost(runner)
    scores.touch()
    assert not _is_validation_lost(runner)
    os.utime(scores, ns=(0, 0))
    assert _is_validation_lost(runner)
    # Of eight epochs, the third and the sixth are validated.
    runner.max_epochs = 8
    assert not _is_validation_lost(runner)
    runner.val_loop = None
    runner.max_epochs = 4
    assert not _is_validation_lost(runner)
