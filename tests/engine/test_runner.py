"""Training repeats itself, continues exactly after a kill, and uses several CPU processes."""
import errno
import shutil
import signal
from functools import partial
from pathlib import Path
from typing import Any, Dict

import pytest
import torch
import toy_training
from mmengine.fileio import LocalBackend
from toy_training import in_processes, logged_metrics, run_test, run_train, score, write_config

from geminifusion3d import atomic
from geminifusion3d.atomic import locked_folder
from geminifusion3d.cli import EXIT_COULD_NOT_RUN
from geminifusion3d.engine import read_checkpoint
from geminifusion3d.errors import UserError

KEEP_ALL = 'default_hooks.checkpoint.max_keep_ckpts=9'
ITERATIONS = '''
train_cfg = dict(by_epoch=False, max_iters=8, val_interval=100)
train_dataloader['sampler'] = dict(type='InfiniteSampler', shuffle=True)
default_hooks['checkpoint'].update(by_epoch=False, interval=2)
log_processor = dict(by_epoch=False)
'''


def assert_same_state(first: Path, second: Path) -> None:
    """Compares weights, buffers, optimizer and schedule of two checkpoints bit for bit."""
    left, right = read_checkpoint(first), read_checkpoint(second)
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert_equal(left[part], right[part])
    assert (left['meta']['epoch'], left['meta']['iter']) == (right['meta']['epoch'],
                                                             right['meta']['iter'])


def assert_equal(left: Any, right: Any) -> None:
    """Compares nested containers of tensors and numbers."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        left, right = list(left.values()), list(right.values())
    if isinstance(left, (list, tuple)):
        assert len(left) == len(right)
        for a, b in zip(left, right):
            assert_equal(a, b)
    elif torch.is_tensor(left):
        assert torch.equal(left, right)
    else:
        assert left == right


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, Path]:
    """An uninterrupted training of four epochs that keeps every checkpoint."""
    folder = tmp_path_factory.mktemp('trained')
    config = write_config(folder)
    assert run_train(config, folder / 'run', '--cfg-options', KEEP_ALL) == 0
    return {'config': config, 'run': folder / 'run'}


def test_two_runs_with_one_seed_are_the_same(trained: Dict[str, Path], tmp_path: Path) -> None:
    run_train(trained['config'], tmp_path / 'again')
    assert_same_state(trained['run'] / 'epoch_4.pth', tmp_path / 'again/epoch_4.pth')
    curve = (trained['run'] / 'loss_curve.jsonl').read_bytes()
    assert (tmp_path / 'again/loss_curve.jsonl').read_bytes() == curve
    assert curve.count(b'\n') == 16


def test_another_seed_gives_another_run(trained: Dict[str, Path], tmp_path: Path) -> None:
    run_train(trained['config'], tmp_path / 'other', '--seed', '4')
    curve = (trained['run'] / 'loss_curve.jsonl').read_bytes()
    assert (tmp_path / 'other/loss_curve.jsonl').read_bytes() != curve


@pytest.mark.parametrize('argument', ['auto', 'path'])
def test_resumed_run_ends_like_an_uninterrupted_one(trained: Dict[str, Path], tmp_path: Path,
                                                    argument: str) -> None:
    work_dir = tmp_path / 'resumed'
    work_dir.mkdir()
    # The curve of the killed run reached further than its last checkpoint.
    for name in ('epoch_2.pth', 'loss_curve.jsonl'):
        shutil.copy(trained['run'] / name, work_dir / name)
    source = 'auto' if argument == 'auto' else str(work_dir / 'epoch_2.pth')
    run_train(trained['config'], work_dir, '--resume', source)
    assert_same_state(trained['run'] / 'epoch_4.pth', work_dir / 'epoch_4.pth')
    curve = (trained['run'] / 'loss_curve.jsonl').read_bytes()
    assert (work_dir / 'loss_curve.jsonl').read_bytes() == curve


@pytest.mark.parametrize('argument', ['auto', 'epoch_2.pth'])
def test_a_resumed_training_needs_no_pretrained_file(trained: Dict[str, Path], tmp_path: Path,
                                                     argument: str) -> None:
    absent = "model['init_cfg'] = dict(type='Pretrained', checkpoint='absent.pth')\n"
    config, work_dir = write_config(tmp_path, extra=absent), tmp_path / 'run'
    with pytest.raises(FileNotFoundError, match='absent.pth'):
        run_train(config, work_dir, '--resume', 'auto')
    shutil.copy(trained['run'] / 'epoch_2.pth', work_dir / 'epoch_2.pth')
    run_train(config, work_dir, '--resume', argument.replace('epoch', str(work_dir / 'epoch')))
    assert_same_state(trained['run'] / 'epoch_4.pth', work_dir / 'epoch_4.pth')


def test_iteration_based_training_resumes_exactly(tmp_path: Path) -> None:
    config = write_config(tmp_path, extra=ITERATIONS)
    run_train(config, tmp_path / 'whole', '--cfg-options', KEEP_ALL)
    work_dir = tmp_path / 'resumed'
    work_dir.mkdir()
    shutil.copy(tmp_path / 'whole/iter_4.pth', work_dir / 'iter_4.pth')
    run_train(config, work_dir, '--resume')
    assert_same_state(tmp_path / 'whole/iter_8.pth', work_dir / 'iter_8.pth')


@pytest.mark.parametrize('keep', [1, 2])
def test_kill_while_a_checkpoint_is_written_leaves_the_previous_one(
        trained: Dict[str, Path], tmp_path: Path, keep: int) -> None:
    extra = "custom_hooks.append(dict(type='ToyKillHook', at_write=3))\n"
    config = write_config(tmp_path, extra=extra)
    work_dir = tmp_path / 'run'
    keep_option = f'default_hooks.checkpoint.max_keep_ckpts={keep}'
    assert in_processes(1, partial(run_train, config, work_dir, '--cfg-options', keep_option)
                        ) == [-signal.SIGKILL]
    assert (work_dir / 'epoch_3.pth.part').exists()
    for path in work_dir.glob('*.pth'):
        read_checkpoint(path)
    assert (work_dir / 'last_checkpoint').read_text() == str(work_dir / 'epoch_2.pth')
    run_train(trained['config'], work_dir, '--resume', 'auto', '--cfg-options', keep_option)
    assert_same_state(trained['run'] / 'epoch_4.pth', work_dir / 'epoch_4.pth')
    assert not list(work_dir.glob('*.part'))
    assert len(list(work_dir.glob('*.pth'))) == keep


def test_damaged_last_checkpoint_is_skipped_for_the_previous(
        trained: Dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    work_dir = tmp_path / 'run'
    shutil.copytree(trained['run'], work_dir)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_4.pth'))
    whole = (work_dir / 'epoch_4.pth').read_bytes()
    (work_dir / 'epoch_4.pth').write_bytes(whole[:len(whole) // 2])
    run_train(trained['config'], work_dir, '--resume', 'auto')
    assert_same_state(trained['run'] / 'epoch_4.pth', work_dir / 'epoch_4.pth')
    assert 'epoch_4.pth cannot be read' in capfd.readouterr().out


def test_checkpoint_of_another_config_is_refused(trained: Dict[str, Path], tmp_path: Path) -> None:
    other = write_config(tmp_path, width=6)
    checkpoint = trained['run'] / 'epoch_4.pth'
    message = (r'the model expects 9 weights; layers: 7 of another shape '
               r'\(layers.0.weight got \(4, 1\) expected \(6, 1\), ')
    with pytest.raises(UserError, match=message):
        run_test(other, checkpoint, tmp_path / 'test')
    with pytest.raises(UserError, match='of another config'):
        run_train(other, tmp_path / 'train', '--resume', str(checkpoint))


def test_weights_of_another_config_start_a_training_only_if_the_config_allows_it(
        trained: Dict[str, Path], tmp_path: Path) -> None:
    other = write_config(tmp_path, width=6)
    options = ['--cfg-options', f'load_from={trained["run"] / "epoch_4.pth"}', 'train_cfg.max_epochs=1']
    with pytest.raises(UserError, match='layers: 7 of another shape'):
        run_train(other, tmp_path / 'refused', *options)
    assert run_train(other, tmp_path / 'tuned', *options, 'load_cfg.max_differing=7') == 0


def test_one_process_and_two_give_the_same_evaluation(trained: Dict[str, Path],
                                                      tmp_path: Path) -> None:
    checkpoint = trained['run'] / 'epoch_4.pth'
    alone = run_test(trained['config'], checkpoint, tmp_path / 'alone')
    assert in_processes(2, partial(score, trained['config'], checkpoint, tmp_path / 'both',
                                   '--launcher', 'pytorch')) == [0, 0]
    # Seven samples over two processes: one is evaluated twice and must be counted once.
    assert alone['toy/count'] == alone['toy/distinct'] == 7
    assert logged_metrics(tmp_path / 'both') == alone


def test_two_processes_on_a_cpu_train_and_resume_exactly(tmp_path: Path) -> None:
    extra = "custom_hooks.append(dict(type='SyncBuffersHook'))\n"
    config = write_config(tmp_path, extra=extra)
    whole, resumed = tmp_path / 'whole', tmp_path / 'resumed'
    assert in_processes(2, partial(run_train, config, whole, '--launcher', 'pytorch',
                                   '--cfg-options', KEEP_ALL)) == [0, 0]
    resumed.mkdir()
    shutil.copy(whole / 'epoch_2.pth', resumed / 'epoch_2.pth')
    assert in_processes(2, partial(run_train, config, resumed, '--launcher', 'pytorch',
                                   '--resume', 'auto')) == [0, 0]
    assert_same_state(whole / 'epoch_4.pth', resumed / 'epoch_4.pth')
    # The evaluation during training saw the buffers that the checkpoint holds.
    assert logged_metrics(whole) == run_test(config, whole / 'epoch_4.pth', tmp_path / 'test')


def test_three_processes_train_with_a_smaller_last_batch_and_count_each_sample_once(tmp_path: Path) -> None:
    # 13 samples are 5 per process, in batches of 3 and 2; 7 are evaluated, 3 per process.
    config, run = write_config(tmp_path), tmp_path / 'run'
    assert in_processes(3, partial(
        run_train, config, run, '--launcher', 'pytorch', '--cfg-options', 'train_dataloader.batch_size=3',
        'train_dataloader.dataset.length=13', 'train_cfg.val_interval=4')) == [0, 0, 0]
    metrics = logged_metrics(run)
    assert metrics['toy/count'] == metrics['toy/distinct'] == 7
    # Two iterations in each of four epochs.
    assert read_checkpoint(run / 'epoch_4.pth')['meta']['iter'] == 8


@pytest.mark.parametrize('count, killed', [(2, 0), (3, 1)])
def test_a_killed_process_ends_the_others_with_a_sentence(tmp_path: Path, capfd: pytest.CaptureFixture,
                                                          count: int, killed: int) -> None:
    config = write_config(tmp_path, extra=f"custom_hooks.append(dict(type='ToyDieHook', rank={killed}))\n")
    # Counted from the death on: to start may take long on a busy machine.
    codes = in_processes(count, partial(run_train, config, tmp_path / 'run', '--launcher', 'pytorch',
                                        '--cfg-options', 'train_dataloader.dataset.length=12'), grace_s=60)
    assert codes == [-signal.SIGKILL if rank == killed else EXIT_COULD_NOT_RUN for rank in range(count)]
    said = capfd.readouterr().out
    for rank in set(range(count)) - {killed}:
        assert f'error: process {rank} lost another process of this run' in said


def test_a_frozen_process_ends_the_others_after_the_timeout(tmp_path: Path, capfd: pytest.CaptureFixture
                                                            ) -> None:
    extra = ("custom_hooks.append(dict(type='ToyDieHook', rank=1, freezes=True))\n"
             "env_cfg['dist_cfg']['timeout'] = 20\n")
    config = write_config(tmp_path, extra=extra)
    # The frozen one stays until the test ends it; who waits for it has ended by then.
    codes = in_processes(2, partial(run_train, config, tmp_path / 'run', '--launcher', 'pytorch'), grace_s=10)
    assert codes == [EXIT_COULD_NOT_RUN, None]
    assert 'error: process 0 lost another process of this run' in capfd.readouterr().out


def test_two_trainings_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atomic, 'PATIENCE_S', 0.0)
    config, work_dir = write_config(tmp_path), tmp_path / 'run'
    with locked_folder(work_dir):
        with pytest.raises(UserError, match='another training is writing to .*run; wait.*squeue.*--work-dir'):
            run_train(config, work_dir)
    assert not list(work_dir.glob('*.p*'))
    assert run_train(config, work_dir) == 0


def test_a_metric_that_declares_other_sensors_ends_a_training_before_its_first_step(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy_training.ToyModel, 'modalities', {'use_camera': False}, raising=False)
    monkeypatch.setattr(toy_training.ToyMetric, 'meta', {'use_camera': True}, raising=False)
    with pytest.raises(UserError, match="declares modality {'use_camera': True}, the model reads"):
        run_train(write_config(tmp_path), tmp_path / 'run')
    assert not list((tmp_path / 'run').glob('*.pth'))
    monkeypatch.setattr(toy_training.ToyMetric, 'meta', {'use_camera': False}, raising=False)
    assert run_train(write_config(tmp_path), tmp_path / 'run') == 0


def test_a_test_with_other_settings_than_were_trained_is_refused_and_a_training_from_them_says_so(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> None:
    config, weights = write_config(tmp_path), tmp_path / 'run/epoch_4.pth'
    monkeypatch.setattr(toy_training.ToyModel, 'learned_settings', {'bev_grid.cell_m': 1.0}, raising=False)
    run_train(config, tmp_path / 'run')
    assert run_test(config, weights, tmp_path / 'test')['toy/count'] == 7
    monkeypatch.setattr(toy_training.ToyModel, 'learned_settings', {'bev_grid.cell_m': 2.0}, raising=False)
    said = 'was trained with model.bev_grid.cell_m=1.0, the recipe has 2.0'
    with pytest.raises(UserError, match=said):
        run_test(config, weights, tmp_path / 'test')
    capfd.readouterr()
    run_train(config, tmp_path / 'next', '--cfg-options', f'load_from={weights}')
    assert said in capfd.readouterr().out


def test_a_test_of_another_model_whose_weights_fit_says_so(
        tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    config, weights = write_config(tmp_path), tmp_path / 'run/epoch_4.pth'
    run_train(config, tmp_path / 'run')
    run_test(config, weights, tmp_path / 'test')
    assert 'was trained with' not in capfd.readouterr().out
    run_test(config, weights, tmp_path / 'test', '--cfg-options', 'model.poison_at=-2')
    assert 'model.poison_at=-2 (trained with absent)' in capfd.readouterr().out


def test_what_a_killed_training_left_half_written_goes(tmp_path: Path) -> None:
    (tmp_path / 'run').mkdir()
    for name in ('epoch_2.pth.part', '.last_checkpoint.ab12.part'):
        (tmp_path / 'run' / name).write_text('half')
    run_train(write_config(tmp_path), tmp_path / 'run')
    assert not [path.name for path in (tmp_path / 'run').iterdir() if path.name.endswith('.part')]


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(backend: LocalBackend, content: bytes, path: str) -> None:
        Path(path).write_bytes(content[:100])
        raise OSError(errno.ENOSPC, 'No space left on device', path)

    monkeypatch.setattr(LocalBackend, 'put', fill)
    with pytest.raises(OSError, match='No space left'):
        run_train(write_config(tmp_path), tmp_path / 'run')
    assert not list((tmp_path / 'run').glob('*.pth*'))


def test_deterministic_mode_fills_no_memory(tmp_path: Path) -> None:
    torch.utils.deterministic.fill_uninitialized_memory = True
    run_train(write_config(tmp_path), tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    assert not torch.utils.deterministic.fill_uninitialized_memory


def test_adamw_runs_fused_unless_the_config_says_otherwise(tmp_path: Path) -> None:
    kind = "optim_wrapper['constructor'] = 'GeminiOptimWrapperConstructor'\n"
    plain = kind + "optim_wrapper['optimizer']['fused'] = False\n"
    for name, extra, fused in (('a', kind, True), ('b', plain, False)):
        (tmp_path / name).mkdir()
        run_train(write_config(tmp_path / name, extra=extra), tmp_path / name / 'run')
        groups = read_checkpoint(tmp_path / name / 'run/epoch_4.pth')['optimizer']['param_groups']
        assert [group['fused'] for group in groups] == [fused]
