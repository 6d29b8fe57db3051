"""Puts the objects and clouds of datasets side by side: how near is a synthetic world to real nuScenes?

A source is the folder of a dataset in nuScenes' schema, of which the tables are read and those LiDAR
keyframes that are there, an info file (.pkl), or boxes of a ground-truth database of mmdet3d in an .npz:
token, name and box (n, 9: x, y, z, w, l, h, -yaw - pi/2, vx, vy in the LiDAR frame).

Example:
    gemini3d world-statistics synthetic=data/synthetic real=data/nuscenes --into docs/synthetic_world.md
"""
import argparse
from pathlib import Path
from typing import TYPE_CHECKING, List, Sequence, Tuple

from geminifusion3d.errors import UserError

if TYPE_CHECKING:
    from .world_tables import World

BLOCK = 'statistics'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the sources and where the tables go."""
    parser.add_argument('sources', nargs='+', metavar='[NAME=]PATH',
                        help='folder of a dataset, info file (.pkl) or boxes (.npz); one column each')
    parser.add_argument('--into', type=Path, metavar='PAGE',
                        help=f'Markdown file with <!-- {BLOCK}:start --> and <!-- {BLOCK}:end -->, between '
                             'which the tables go; default: print them')


def run(args: argparse.Namespace) -> None:
    """Reads the sources and prints or writes the tables."""
    from ..markdown_block import write_block
    from .world_tables import render
    text = render(read_worlds(args.sources))
    if args.into is None:
        print(text)
    else:
        write_block(args.into, BLOCK, text)
        print(f'{args.into}: {BLOCK}')


def read_worlds(sources: Sequence[str]) -> List['World']:
    """Reads the sources NAME=PATH or PATH of the command line; each needs a name of its own."""
    from .world_sources import read_world
    named: List[Tuple[str, Path]] = []
    for source in sources:
        name, equals, path = source.partition('=')
        named.append((name, Path(path)) if equals else (Path(source).stem, Path(source)))
    names = [name for name, _ in named]
    if len(set(names)) < len(names):
        raise UserError(f'got the sources {", ".join(names)}; expected a name of its own for each, such as '
                        'real=data/nuscenes')
    return [read_world(name, path) for name, path in named]
