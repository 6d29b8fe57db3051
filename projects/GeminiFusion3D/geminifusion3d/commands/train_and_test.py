"""What `tools/train.py` and `tools/test.py` do: arguments to a checked config, config to a run."""
import argparse
import os
import shlex
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List, Optional

from mmengine.config import Config, DictAction

from ..cli import EXIT_INTERRUPTED
from ..errors import UserError
from ..results.evaluated_split import add_split_argument, check_same_info_file, choose_split
from ..results.run_record import RunRecordHook
from .test_time_augmentation_flags import (add_test_time_argument, augment_test_time, variants_folder)
from ..checkpoints.checkpoint_file import check_exists
from ..engine.config_file import apply_seed, check_data_files, check_sections, load_config
from ..engine.distributed import leave_process_group
from ..engine.inference_hook import add_inference_arguments, speed_up_tests
from ..engine.mistakes import config_mistakes
from ..engine.runner import GeminiRunner
from ..engine.silenced_sensors import add_silence_arguments, silence_sensors

OTHER_RANKS_WAIT_S = 5.
DEMO_CONFIG = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
TRAIN_EXAMPLE = (f'example: python tools/train.py {DEMO_CONFIG} '
                 '--work-dir work_dirs/demo --resume auto')
TEST_EXAMPLE = (f'example: python tools/test.py {DEMO_CONFIG} '
                'work_dirs/demo/epoch_12.pth --work-dir work_dirs/demo')


def recipe_parser(description: str, example: str) -> argparse.ArgumentParser:
    """Builds the arguments of every command that runs a recipe.

    Args:
        description: of the command.
        example: of a call.
    """
    parser = argparse.ArgumentParser(description=description, epilog=example,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, such as those under configs/')
    parser.add_argument('--work-dir', help='folder for checkpoints, logs and metrics; '
                                           'default: work_dirs/<name of the config>')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings of the config to replace: '
                             'optim_wrapper.optimizer.lr=0.001 train_cfg.max_epochs=2')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none',
                        help='who started the processes; tools/dist_train.sh and others set it')
    # torch.distributed.launch passes this; torchrun sets the variable LOCAL_RANK instead.
    parser.add_argument('--local-rank', '--local_rank', type=int, default=0,
                        help=argparse.SUPPRESS)
    return parser


def parse_train_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line of `tools/train.py`."""
    parser = recipe_parser('Trains a detector.', TRAIN_EXAMPLE)
    parser.add_argument('--resume', nargs='?', const='auto', metavar='auto|CHECKPOINT',
                        help='continue from this checkpoint; "auto" or nothing: from the newest '
                             'readable one in the work directory, or from the beginning')
    parser.add_argument('--amp', choices=['fp16', 'bf16'],
                        help='mixed precision: bf16 where the GPU knows it (Ampere and later), else fp16')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate by the real batch size over the recipe\'s, as '
                             'the recipes here do by default')
    parser.add_argument('--seed', type=int, help='seed of everything random')
    return _parse(parser, arguments)


def parse_test_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line of `tools/test.py`."""
    parser = recipe_parser('Evaluates a checkpoint with the official nuScenes metric.', TEST_EXAMPLE)
    parser.add_argument('checkpoint', help='checkpoint (.pth) that was trained with the config')
    add_split_argument(parser)
    add_silence_arguments(parser)
    add_test_time_argument(parser)
    add_inference_arguments(parser)
    return _parse(parser, arguments)


def _parse(parser: argparse.ArgumentParser, arguments: Optional[List[str]]) -> argparse.Namespace:
    """Reads a command line; mmengine's DictAction fails with a ValueError if a `=` is absent."""
    try:
        return parser.parse_args(arguments)
    except ValueError as error:
        raise UserError(f'--cfg-options got something else than the KEY=VALUE that it expects, '
                        f'write for example train_cfg.max_epochs=2 ({error})') from error


def train_config(arguments: argparse.Namespace) -> Config:
    """Builds the config of a training from its arguments.

    Raises:
        UserError: if something in it cannot work.
    """
    cfg = _common_config(arguments)
    check_sections(cfg, ['model', 'train_dataloader', 'train_cfg', 'optim_wrapper'])
    if arguments.seed is not None:
        apply_seed(cfg, arguments.seed)
    if arguments.amp:
        _set_precision(cfg, arguments.amp)
    if arguments.auto_scale_lr:
        if 'base_batch_size' not in (cfg.get('auto_scale_lr') or {}):
            raise UserError('--auto-scale-lr needs the batch size that the learning rate belongs '
                            'to: add auto_scale_lr = dict(base_batch_size=N, enable=False) to '
                            'the config')
        cfg.auto_scale_lr.enable = True
    if arguments.resume is not None:
        cfg.resume = True
        cfg.load_from = None if arguments.resume == 'auto' else arguments.resume
    if cfg.get('load_from'):
        check_exists(cfg.load_from)
    check_data_files(cfg, ['train_dataloader', 'val_dataloader'])
    check_same_info_file(cfg, 'val')
    return cfg


def _common_config(arguments: argparse.Namespace) -> Config:
    """Loads the config and sets what both commands set."""
    cfg = load_config(arguments.config, arguments.cfg_options)
    cfg.launcher = arguments.launcher
    cfg.work_dir = (arguments.work_dir or cfg.get('work_dir')
                    or str(Path('work_dirs') / Path(arguments.config).stem))
    return cfg


def _set_precision(cfg: Config, precision: str) -> None:
    """Makes the optimizer wrapper train in mixed precision."""
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'GeminiOptimWrapper'):
        raise UserError(f'--amp works with optim_wrapper.type GeminiOptimWrapper, got {kind}: '
                        f'leave --amp out or change the config')
    cfg.optim_wrapper.type = 'GeminiOptimWrapper'
    cfg.optim_wrapper.precision = precision


def train(arguments: argparse.Namespace) -> int:
    """Trains as the arguments say.

    Returns:
        The exit code: 0, or 130 after Ctrl-C.
    """
    with one_voice(arguments):
        cfg = train_config(arguments)
        try:
            GeminiRunner.from_cfg(cfg).train()
        except KeyboardInterrupt:
            if process_rank() == 0:
                print(f'\ninterrupted; to continue from the last checkpoint in {cfg.work_dir}: '
                      f'{_resume_command(arguments)}', file=sys.stderr)
            return EXIT_INTERRUPTED
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Evaluates a checkpoint as the arguments say.

    Returns:
        The exit code, 0.
    """
    with one_voice(arguments):
        cfg = evaluation_config(arguments)
        silence_sensors(cfg, arguments)
        augment_test_time(cfg, arguments.tta)
        if not arguments.work_dir:
            cfg.work_dir = variants_folder(cfg, arguments.tta)
        runner = GeminiRunner.from_cfg(cfg)
        runner.register_hook(RunRecordHook(checkpoint=arguments.checkpoint, tta=arguments.tta or ()))
        runner.test()
    return 0


def evaluation_config(arguments: argparse.Namespace) -> Config:
    """Builds the config of an evaluation from its arguments.

    Args:
        arguments: those of `recipe_parser` and the `checkpoint`.

    Raises:
        UserError: if something in it cannot work.
    """
    cfg = _common_config(arguments)
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
def one_voice(arguments: argparse.Namespace) -> Iterator[None]:
    """Names a mistake once: all processes make it, and the first to end stops the others.

    Args:
        arguments: those of `recipe_parser`.
    """
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
    kept = list(sys.argv)
    if '--resume' in kept:
        at = kept.index('--resume')
        takes_value = arguments.resume == (kept[at + 1] if at + 1 < len(kept) else None)
        del kept[at:at + 1 + takes_value]
    return 'python ' + shlex.join(kept + ['--resume', 'auto'])
