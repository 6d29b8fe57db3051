"""What `gemini3d train` and `gemini3d test` do: arguments to a checked config, config to a run."""
import argparse
import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Iterator, Mapping

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..checkpoints.checkpoint_file import check_exists
from ..cli import EXIT_INTERRUPTED
from ..engine.config_file import (apply_seed, check_data_files, check_first_stage, check_pasted_objects,
                                  check_sections, load_config)
from ..engine.distributed import leave_process_group
from ..engine.inference_hook import speed_up_tests
from ..engine.mistakes import config_mistakes
from ..engine.runner import GeminiRunner
from ..engine.silenced_sensors import silence_sensors
from ..errors import UserError
from ..results.evaluated_split import check_same_info_file, choose_split
from ..results.nuscenes_metric import SUMMARY_NAME, GeminiNuScenesMetric
from ..results.run_record import RunRecordHook
from .arguments import overrides
from .test_time_augmentation_flags import augment_test_time, variants_folder

OTHER_RANKS_WAIT_S = 5.
VAL, TEST, EVALUATING = 'val_', 'test_', ('dataloader', 'evaluator', 'cfg')


def train_config(arguments: argparse.Namespace) -> Config:
    """Builds the config of a training from its arguments; UserError if something in it cannot work."""
    cfg = _common_config(arguments, VAL)
    check_sections(cfg, ['model', 'train_dataloader', 'train_cfg', 'optim_wrapper'])
    if arguments.seed is not None:
        apply_seed(cfg, arguments.seed)
    if arguments.amp:
        _set_precision(cfg, arguments.amp)
    if arguments.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise UserError('--auto-scale-lr needs the batch size that the learning rate belongs '
                            'to: add auto_scale_lr = dict(base_batch_size=N, enable=False) to the config')
        cfg.auto_scale_lr.enable = True
    if arguments.resume is not None:
        cfg.resume = True
        cfg.load_from = None if arguments.resume == 'auto' else arguments.resume
    if cfg.get('resume') and cfg.get('load_from'):
        check_exists(cfg.load_from)
    check_first_stage(cfg)
    check_data_files(cfg, ['train_dataloader', 'val_dataloader'])
    if not arguments.allow_scored_objects:
        check_pasted_objects(cfg)
    check_same_info_file(cfg, 'val')
    return cfg


def _common_config(arguments: argparse.Namespace, evaluated: str) -> Config:
    """Loads the config and sets what both commands set; `evaluated`: sections with this prefix are read."""
    options = overrides(arguments.cfg_options)
    check_evaluated(options, evaluated)
    cfg = load_config(arguments.config, options)
    cfg.launcher = arguments.launcher
    cfg.work_dir = (arguments.work_dir or cfg.get('work_dir')
                    or str(Path('work_dirs') / Path(arguments.config).stem))
    return cfg


def check_evaluated(options: Mapping[str, Any], evaluated: str) -> None:
    """Refuses overrides of the evaluation that a command does not make, unless they are given for both.

    Args:
        options: dotted keys and their new values.
        evaluated: val_, which a training reads, or test_.
    """
    unread = TEST if evaluated == VAL else VAL
    for key in options:
        namesake = evaluated + key.removeprefix(unread)
        if key.split('.')[0] in [unread + part for part in EVALUATING] and namesake not in options:
            raise UserError(f'--cfg-options {key} would change nothing here: a '
                            f'{"training" if evaluated == VAL else "test"} reads '
                            f'{namesake.split(".")[0]}; give {namesake}')


def _set_precision(cfg: Config, precision: str) -> None:
    """Makes the optimizer wrapper train in mixed precision."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'GeminiOptimWrapper'):
        raise UserError(f'--amp works with optim_wrapper.type GeminiOptimWrapper, got {kind}: '
                        f'leave --amp out or change the config')
    cfg.optim_wrapper.type = 'GeminiOptimWrapper'
    cfg.optim_wrapper.precision = best_precision() if precision == 'auto' else precision


def best_precision() -> str:
    """Returns the mixed precision that suits this device: bf16 needs no scaling of the loss."""
    return 'bf16' if not torch.cuda.is_available() or torch.cuda.is_bf16_supported() else 'fp16'


class _ResumedHook(Hook):
    """Makes up for a validation that a kill has cut off; says so when a training has come to its end."""

    # Behind all hooks that prepare a training.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Compares how far the training is with what must have been done and with how far it shall go."""
        if runner.iter == 0:
            return
        lost = [_is_validation_lost(runner)]
        broadcast_object_list(lost)
        if lost[0]:
            runner.logger.info('the validation behind this checkpoint did not come to its end: validating')
            runner.val_loop.run()
        if runner.iter >= runner.max_iters and process_rank() == 0:
            print(f'nothing to do: {runner.epoch} of {runner.max_epochs} epochs are done in '
                  f'{runner.work_dir}; for more, start a longer training from its weights, '
                  'load_from, in another --work-dir')


def _is_validation_lost(runner: Runner) -> bool:
    """Says whether a validation was due at the resumed checkpoint and has left no newer scores."""
    loop = runner.train_loop
    done, end = ((runner.epoch, runner.max_epochs) if isinstance(loop, EpochBasedTrainLoop)
                 else (runner.iter, runner.max_iters))
    if runner.val_loop is None or done < loop.val_begin or (done % loop.val_interval and done < end):
        return False
    saved_ns = Path(str(runner.resumed_from)).stat().st_mtime_ns
    scores = [Path(metric.out_dir) / SUMMARY_NAME for metric in runner.val_loop.evaluator.metrics
              if isinstance(metric, GeminiNuScenesMetric) and metric.scores]
    return any(not path.is_file() or path.stat().st_mtime_ns < saved_ns for path in scores)


def train(arguments: argparse.Namespace) -> int:
    """Trains as the arguments say; returns 0, or 130 after Ctrl-C."""
    with one_error(arguments):
        cfg = train_config(arguments)
        try:
            runner = GeminiRunner.from_cfg(cfg)
            runner.register_hook(_ResumedHook())
            runner.train()
        except KeyboardInterrupt:
            if process_rank() == 0:
                print(f'\ninterrupted; to continue from the last checkpoint in {cfg.work_dir}: '
                      f'{_resume_command(arguments)}', file=sys.stderr)
            return EXIT_INTERRUPTED
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Evaluates a checkpoint as the arguments say; returns 0."""
    with one_error(arguments):
        cfg = evaluation_config(arguments)
        silence_sensors(cfg, arguments)
        augment_test_time(cfg, arguments.tta)
        if not arguments.work_dir:
            cfg.work_dir = variants_folder(cfg, arguments.tta)
        if arguments.show_dir:
            draw_tests(cfg, arguments.show_dir, arguments.score_thr)
        runner = GeminiRunner.from_cfg(cfg)
        runner.register_hook(RunRecordHook(checkpoint=arguments.checkpoint, tta=arguments.tta or ()))
        runner.test()
    return 0


def draw_tests(cfg: Config, folder: str, min_score: float) -> None:
    """Lets a test draw what it finds."""
    task = 'multi-modality_det'
    if not cfg.model.get('lidar_branch'):
        task = 'multi-view_det'
    elif not cfg.model.get('camera_branch'):
        task = 'lidar_det'
    cfg.visualizer = dict(type='GeminiVisualizer')
    cfg.default_hooks.visualization = dict(
        type='Det3DVisualizationHook', draw=True, score_thr=min_score, vis_task=task,
        # A relative one would lie in the folder of the log.
        test_out_dir=str(Path(folder).absolute()))


def evaluation_config(arguments: argparse.Namespace) -> Config:
    """Builds the config of an evaluation from its arguments; UserError if something in it cannot work."""
    cfg = _common_config(arguments, TEST)
    check_sections(cfg, ['model', 'test_dataloader', 'test_cfg', 'test_evaluator'])
    choose_split(cfg, arguments.split)
    if arguments.split and not arguments.work_dir:
        cfg.work_dir = str(Path(cfg.work_dir) / arguments.split)
    check_data_files(cfg, ['test_dataloader'])
    check_same_info_file(cfg, 'test')
    check_exists(arguments.checkpoint)
    cfg.load_from, cfg.resume = arguments.checkpoint, False
    speed_up_tests(cfg, arguments)
    return cfg


@contextmanager
def one_error(arguments: argparse.Namespace) -> Iterator[None]:
    """Names a mistake once: all processes make it, and the first to end stops the others."""
    os.environ.setdefault('LOCAL_RANK', str(arguments.local_rank))
    try:
        with config_mistakes(arguments.config):
            yield
        leave_process_group()
    except UserError:
        if process_rank() > 0:
            time.sleep(OTHER_RANKS_WAIT_S)
        raise


def process_rank() -> int:
    """Returns the number of this process among all of a run."""
    return int(os.environ.get('RANK', os.environ.get('SLURM_PROCID', 0)))


def _resume_command(arguments: argparse.Namespace) -> str:
    """Returns the command that continues an interrupted training."""
    if arguments.launcher != 'none':
        return 'the same command with --resume auto'
    words = list(sys.argv)
    if '--resume' in words:
        at = words.index('--resume')
        takes_value = arguments.resume == (words[at + 1] if at + 1 < len(words) else None)
        del words[at:at + 1 + takes_value]
    program = {'.py': ['python', words[0]]}.get(Path(words[0]).suffix, ['gemini3d'])
    if Path(words[0]).name == '__main__.py':
        program = ['python', '-m', __package__.rpartition('.')[0]]
    return shlex.join([*program, *words[1:], '--resume', 'auto'])
