"""`gemini3d benchmark`: parts of the detector beside what else does the same, in turns.

Medians and quartiles, peak memory, multiply-adds.

Example:
    gemini3d benchmark data --dataroot data/synthetic --ann-file geminifusion3d_infos_mini_train.pkl
    gemini3d benchmark fusion --channels 128 --cells 1024 32400
    gemini3d benchmark model configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py
    gemini3d benchmark splat --repeats 9
    gemini3d benchmark counts configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py --train
"""
import argparse
from pathlib import Path
from typing import Callable, Dict, List, Tuple

from geminifusion3d.commands.arguments import add_alias, add_config_options, add_faster_parts, at_least

DEFAULT_CELLS = [1024, 4096, 16384, 32400, 65536, 129600]
FULL_SIZE = 'configs/geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what is measured, each with its options."""
    commands = parser.add_subparsers(dest='what', required=True, metavar='|'.join(WHAT))
    for name, (text, add_own) in WHAT.items():
        command = commands.add_parser(name, help=text, description=text)
        if name != 'counts':
            _add_common(command)
        add_own(command)


def run(args: argparse.Namespace) -> int:
    """Measures, prints and writes."""
    if args.what == 'counts':
        from .subcommands import counts
        print(counts.run(args))
        return 0
    from .rows import benchmark
    return benchmark(args)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--device', help='cpu, cuda or cuda:1; default: a GPU where there is one')
    parser.add_argument('--threads', type=at_least(1), metavar='N',
                        help='threads of a CPU; default: all cores that this process may use')
    parser.add_argument('--repeats', type=at_least(1), default=7, metavar='N',
                        help='timings of each; default: 7')
    parser.add_argument('--warm-up', type=at_least(0), default=2, metavar='N',
                        help='calls of each before the first timing; default: 2')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write every row to FILE')
    parser.add_argument('--join', type=Path, nargs='+', default=[], metavar='FILE',
                        help='rows that earlier runs wrote with --json join those of this run')
    parser.add_argument('--out', type=Path, metavar='FILE',
                        help='write tables into the block benchmark-<sub-command> of FILE, such as '
                             'docs/benchmarks.md, and charts beside it')
    add_alias(parser, '--readme', dest='out', type=Path)
    parser.add_argument('--quiet', action='store_true', help='show no progress')


def _add_some(parser: argparse.ArgumentParser, flag: str, known: List[str]) -> None:
    parser.add_argument(flag, nargs='+', choices=known, default=known, metavar='NAME',
                        help=f'default: {" and ".join(map(repr, known))}')


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--config', default=FULL_SIZE, metavar='FILE',
                        help='the recipe; default: the full-size one of camera and LiDAR')
    parser.add_argument('--dataroot', metavar='DIR', help="a converted dataset; default: the recipe's")
    add_alias(parser, '--data-root', dest='dataroot')
    parser.add_argument('--ann-file', metavar='FILE', help="info file; default: the recipe's of training")
    parser.add_argument('--samples', type=at_least(1), default=7, metavar='N',
                        help='keyframes in turn, those with all sweeps; default: 7')


def _add_fusion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--channels', type=at_least(1), nargs='+', default=[128, 256], metavar='C',
                        help='channels of the maps; default: 128 256')
    parser.add_argument('--cells', type=at_least(1), nargs='+', default=DEFAULT_CELLS, metavar='N',
                        help=f'cells of the maps; default: {" ".join(map(str, DEFAULT_CELLS))}')
    parser.add_argument('--dtype', choices=['float32', 'bfloat16', 'float16'], default='float32',
                        help='default: float32')
    _add_some(parser, '--modes', ['inference', 'training step'])
    parser.add_argument('--only', nargs='+', default=[], metavar='WORD',
                        help='only contestants whose name holds one of these words')
    parser.add_argument('--longest', type=float, default=3.0, metavar='SECONDS', help='default: 3')


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('config', help='recipe, such as those under configs/')
    parser.add_argument('--train', action='store_true', help='a training step in place of a prediction')
    parser.add_argument('--batch-size', type=at_least(1), default=1, metavar='B',
                        help='samples per call; default: 1')
    add_config_options(parser)


def _add_model(parser: argparse.ArgumentParser) -> None:
    _add_recipe(parser)
    parser.add_argument('--checkpoint', help='weights; default: random ones')
    parser.add_argument('--frames', type=at_least(1), default=8, metavar='N',
                        help='how many of the dataset\'s samples take turns; default: 8')
    parser.add_argument('--calibrations', type=at_least(0), default=0, metavar='N',
                        help='keep where pixels fall for N calibrations, as for cameras that stay put')
    parser.add_argument('--amp', choices=['bf16', 'fp16'], help='mixed precision; default: float32')
    parser.add_argument('--fold-norms', action='store_true',
                        help='multiply batch norms into the convolutions before them')
    add_faster_parts(parser)


def _add_splat(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--depth-bins', type=at_least(1), default=118, metavar='D', help='default: 118')
    parser.add_argument('--stride', type=at_least(1), default=8, metavar='PX',
                        help='pixels of a picture of 704 x 256 per pixel of its feature; default: 8')
    parser.add_argument('--channels', type=at_least(1), default=80, metavar='C', help='default: 80')
    parser.add_argument('--cells', type=at_least(1), default=360, metavar='N',
                        help='cells along x and along y; default: 360')
    _add_some(parser, '--modes', ['inference', 'forward and backward'])


WHAT: Dict[str, Tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
    'fusion': ('GeminiFusion, its plain formula, convolution, addition, cross-attention', _add_fusion),
    'splat': ('pooling of lifted pixels into cells, beside materialising them and index_add', _add_splat),
    'data': ('the input pipeline of a recipe, step by step', _add_data),
    'model': ('a recipe stage by stage, from files to boxes, or a training step', _add_model),
    'counts': ('what a recipe asks of a GPU, counted without one: launches, bytes, waits', _add_recipe),
}
