"""What `tools/estimate_memory.py` does: arguments to an estimate, printed as a table."""
import argparse
from pathlib import Path
from typing import List, Optional

import numpy as np
import torch
from mmengine.config import DictAction

from geminifusion3d.errors import UserError
from geminifusion3d.engine.config_file import check_sections, load_config
from .memory_estimate import StepMemory, estimate_step_memory
from geminifusion3d.engine.mistakes import config_mistakes

EXAMPLE = ('example: python tools/estimate_memory.py '
           'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py --amp bf16')
POINT_NUMBERS = 5
LEFT_OUT = ('An estimate: one sample was run on the CPU, its tensors counted, and its activations multiplied '
            'by the batch size.\nNot included: CUDA context, workspaces of convolutions, fragmentation, and, '
            'on several processes, a copy of the gradients.')


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description='Estimates how much GPU memory a training step of a config needs, without a GPU.',
        epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file, such as those under configs/')
    parser.add_argument('--batch-size', type=int, help='samples an iteration and process; default: the '
                                                       'config\'s')
    parser.add_argument('--amp', choices=['fp16', 'bf16'], help='mixed precision; default: the config\'s')
    parser.add_argument('--points', type=Path, metavar='FILE',
                        help='cloud of all sweeps, float32 x y z intensity age; default: a made-up street')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE',
                        help='settings of the config to replace')
    return parser.parse_args(arguments)


def estimate_memory(arguments: Optional[List[str]] = None) -> int:
    """Prints the estimate.

    Args:
        arguments: default: the command line.

    Returns:
        The exit code, 0.
    """
    parsed = parse_arguments(arguments)
    cfg = load_config(parsed.config, parsed.cfg_options)
    check_sections(cfg, ['model', 'train_dataloader', 'optim_wrapper'])
    if parsed.batch_size is not None and parsed.batch_size < 1:
        raise UserError(f'--batch-size must be at least 1, got {parsed.batch_size}')
    if parsed.amp:
        cfg.optim_wrapper.precision = parsed.amp
    with config_mistakes(parsed.config):
        memory = estimate_step_memory(cfg, batch_size=parsed.batch_size, points=_read_points(parsed.points))
    print('\n'.join(table(memory)))
    return 0


def table(memory: StepMemory) -> List[str]:
    """Returns the lines of the printed table."""
    per_sample = 'most activations at once, a sample'
    rows = [('weights and buffers', memory.weights), ('gradients', memory.gradients),
            ('AdamW moments', memory.optimizer), (per_sample, memory.activations),
            (f'in all, {memory.batch_size} samples an iteration', memory.total)]
    width = max(len(name) for name, _ in rows)
    return [*(f'{name:<{width}}  {size / 2 ** 30:8.3f} GiB' for name, size in rows), LEFT_OUT]


def _read_points(path: Optional[Path]) -> Optional[torch.Tensor]:
    if path is None:
        return None
    numbers = np.fromfile(path, dtype=np.float32) if path.is_file() else np.empty(0, np.float32)
    if not len(numbers) or len(numbers) % POINT_NUMBERS:
        raise UserError(f'--points {path} holds {len(numbers)} float32 numbers, expected a file of '
                        f'{POINT_NUMBERS} for each point: x, y, z, intensity, age')
    return torch.from_numpy(numbers.reshape(-1, POINT_NUMBERS))
