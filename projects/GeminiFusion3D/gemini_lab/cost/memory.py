"""Estimates how much GPU memory a training step of a config needs, without a GPU.

Example:
    gemini3d memory configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py --amp bf16
"""
import argparse
from pathlib import Path
from typing import TYPE_CHECKING, List

from geminifusion3d.commands.arguments import add_config_options, at_least, overrides

if TYPE_CHECKING:
    from .memory_estimate import StepMemory

LEFT_OUT = ('An estimate: one sample was run on the CPU, its tensors counted, and its activations multiplied '
            'by the batch size.\nNot included: CUDA context, workspaces of convolutions, fragmentation, and, '
            'on several processes, a copy of the gradients.')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the recipe and what changes its memory."""
    parser.add_argument('config', help='config file, such as those under configs/')
    parser.add_argument('--batch-size', type=at_least(1), metavar='N',
                        help="samples per iteration and process; default: the config's")
    parser.add_argument('--amp', choices=['fp16', 'bf16'], help="mixed precision; default: the config's")
    parser.add_argument('--points', nargs='+', type=Path, metavar='BIN',
                        help='nuScenes point files, put together as they are; default: a made-up street')
    add_config_options(parser)


def run(args: argparse.Namespace) -> None:
    """Prints the estimate."""
    from geminifusion3d.engine.config_file import check_sections, load_config
    from geminifusion3d.engine.mistakes import config_mistakes

    from .memory_estimate import estimate_step_memory
    from .typical_batch import read_cloud
    cfg = load_config(args.config, overrides(args.cfg_options))
    check_sections(cfg, ['model', 'train_dataloader', 'optim_wrapper'])
    if args.amp:
        cfg.optim_wrapper.precision = args.amp
    with config_mistakes(args.config):
        points = read_cloud(args.points) if args.points else None
        memory = estimate_step_memory(cfg, batch_size=args.batch_size, points=points)
    print('\n'.join(table(memory)))


def table(memory: 'StepMemory') -> List[str]:
    """Returns the lines of the printed table."""
    rows = [('weights and buffers', memory.weights), ('gradients', memory.gradients),
            ('AdamW moments', memory.optimizer), ('most activations at once, per sample', memory.activations),
            (f'in all, {memory.batch_size} samples per iteration', memory.total)]
    width = max(len(name) for name, _ in rows)
    return [*(f'{name:<{width}}  {size / 2 ** 30:8.3f} GiB' for name, size in rows), LEFT_OUT]
