"""The command line of `tools/benchmark.py`: common options, and one sub-command a module."""
import argparse
import os
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Callable, Dict, List, Optional

import torch

from geminifusion3d.errors import UserError
from . import subcommands

DESCRIPTION = ('Measures parts of the detector and what else does the same, side by side: in turns, medians '
               'and quartiles, peak memory, multiply-adds.')
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16, 'float16': torch.float16}


def modules() -> Dict[str, ModuleType]:
    """Returns the sub-commands by name."""
    return {module.name: import_module(f'{subcommands.__name__}.{module.name}')
            for module in iter_modules(subcommands.__path__)}


def parse_arguments(arguments: Optional[List[str]] = None) -> argparse.Namespace:
    """Reads the command line and sets the number of threads.

    Returns:
        The options; `module` is that of the sub-command, `device` a torch.device.

    Raises:
        UserError: if an option is out of its range or the device is absent.
    """
    known = modules()
    parser = argparse.ArgumentParser(
        description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='examples:\n' + '\n'.join(f'  {module.EXAMPLE}' for module in known.values()))
    sub_parsers = parser.add_subparsers(dest='what', required=True, metavar='|'.join(known))
    for name, module in known.items():
        sub_parser = sub_parsers.add_parser(
            name, help=module.HELP, description=(module.__doc__ or '').strip(),
            epilog=f'example: {module.EXAMPLE}', formatter_class=argparse.RawDescriptionHelpFormatter)
        _add_common(sub_parser)
        module.add_arguments(sub_parser)
    parsed = parser.parse_args(arguments)
    parsed.module = known[parsed.what]
    _check(parsed)
    if parsed.threads:
        torch.set_num_threads(parsed.threads)
    return parsed


def at_least(least: int) -> Callable[[str], int]:
    """Returns a type for argparse: whole numbers from `least` on."""
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f'must be at least {least}, got {value}')
        return value
    return number


def dtype_named(name: str) -> torch.dtype:
    """Returns the dtype of a command line.

    Raises:
        UserError: if it is not one of DTYPES.
    """
    if name not in DTYPES:
        raise UserError(f'got dtype {name!r}, expected one of {", ".join(DTYPES)}')
    return DTYPES[name]


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu',
                        help='cpu, cuda or cuda:1; default: a GPU where there is one')
    parser.add_argument('--threads', type=at_least(1), metavar='N',
                        help='threads of a CPU; default: all cores that this process may use')
    parser.add_argument('--repeats', type=at_least(1), default=7, metavar='N',
                        help='timings of each; default: 7')
    parser.add_argument('--warm-up', type=at_least(0), default=2, metavar='N',
                        help='calls of each before the first timing; default: 2')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write every row to FILE')
    parser.add_argument('--join', type=Path, nargs='+', default=[], metavar='FILE',
                        help='rows that earlier runs wrote with --json join those of this run')
    parser.add_argument('--readme', type=Path, metavar='FILE',
                        help='write tables into the block benchmark-<sub-command> of FILE, and charts into '
                             'the folder docs beside it')
    parser.add_argument('--quiet', action='store_true', help='show no progress')


def _check(parsed: argparse.Namespace) -> None:
    if parsed.threads and parsed.threads > (os.cpu_count() or 1):
        raise UserError(f'--threads must be at most {os.cpu_count()}, the cores here, got {parsed.threads}')
    try:
        parsed.device = torch.device(parsed.device)
    except RuntimeError as error:
        raise UserError(f'--device got {parsed.device!r}, expected cpu, cuda or cuda:1') from error
    if parsed.device.type == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch sees no GPU here; use --device cpu, or a build of torch for '
                        'your driver')
