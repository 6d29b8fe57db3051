"""What `gemini3d benchmark` does: measure, print, write."""
import json
import os
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Sequence, Tuple

import torch

from geminifusion3d.atomic import write_json, write_whole
from geminifusion3d.errors import UserError

from ..markdown_block import check_block, write_block
from ..text_table import markdown_table
from .rows import (HEADER, Row, cells, describe_environment, machine_line, rows_as_json,
                   rows_from_json, text_table)


def module_of(what: str) -> ModuleType:
    """Returns the module that measures."""
    return import_module(f'{__package__}.subcommands.{what}')


def benchmark(args: Namespace) -> int:
    """Measures one thing; refuses options out of range, an absent device, and a page without the block."""
    prepare(args)
    if args.out:
        check_block(args.out, block_name(args.what))
    environment, module = describe_environment(args.device), module_of(args.what)
    print(f'{args.what}: {machine_line(environment)}', flush=True)
    earlier = [row for path in args.join for row in _read(path, environment)]
    rows = earlier + module.run(args)
    print(text_table(rows))
    print('\n'.join(words(rows)))
    if args.json:
        write_json(args.json, rows_as_json(rows, environment), indent=1)
    if args.out:
        _write_page(args, module, rows, environment)
    return 0


def prepare(args: Namespace) -> None:
    """Makes a torch.device of --device and sets the number of threads; refuses what is out of range."""
    if args.threads and args.threads > (os.cpu_count() or 1):
        raise UserError(f'--threads must be at most {os.cpu_count()}, the cores here, got {args.threads}')
    try:
        args.device = torch.device(args.device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    except RuntimeError as error:
        raise UserError(f'--device got {args.device!r}, expected cpu, cuda or cuda:1') from error
    if args.device.type == 'cuda' and not torch.cuda.is_available():
        raise UserError('--device cuda: torch sees no GPU here; use --device cpu, or a build of torch for '
                        'your driver')
    if args.threads:
        torch.set_num_threads(args.threads)


def _read(path: Path, environment: Dict[str, Any]) -> List[Row]:
    try:
        return rows_from_json(json.loads(path.read_text()), environment)
    except (OSError, ValueError) as error:
        raise UserError(f'--join cannot read {path}: {error}') from error


def words(rows: Sequence[Row]) -> List[str]:
    """Says in words what the contestants' seconds include and exclude, once a text."""
    names: Dict[Tuple[str, str], Dict[str, None]] = {}
    for row in rows:
        names.setdefault((row.includes, row.excludes), {})[row.name] = None
    lines = []
    for (includes, excludes), of in names.items():
        labelled = (('includes', includes), ('excludes', excludes))
        parts = [f'{label} {text}' for label, text in labelled if text]
        if parts:
            lines.append(f'{", ".join(of)}: {"; ".join(parts)}')
    return lines


def _write_page(args: Namespace, module: ModuleType, rows: Sequence[Row], environment: Dict[str, Any]
                ) -> None:
    charts = module.charts(rows) if hasattr(module, 'charts') else {}
    for name, svg in charts.items():
        write_whole(args.out.parent / name, svg)
    own = getattr(module, 'markdown', None)
    text = own(rows) if own else markdown_table(HEADER, list(map(cells, rows)), words=4)
    write_block(args.out, block_name(args.what), f'{text}\n\nMeasured {machine_line(environment)}.')


def block_name(what: str) -> str:
    """Returns the name of a sub-command's block in the page."""
    return f'benchmark-{what}'
