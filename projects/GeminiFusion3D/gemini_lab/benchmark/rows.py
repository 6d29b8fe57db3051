"""What a measurement is: one row of a table, where it was made; rows as JSON, text and Markdown.

And what `gemini3d benchmark` does: measure, print, write.
"""
import json
import math
import os
from argparse import Namespace
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch

from geminifusion3d.atomic import write_json, write_whole
from geminifusion3d.errors import UserError
from geminifusion3d.results.run_record import hardware
from geminifusion3d.submission.provenance import code_facts, now, package_versions

from ..cost.stats_table import three_digits
from ..markdown_block import check_block, write_block
from ..text_table import markdown_table, terminal_table

PACKAGES = ('torch', 'triton', 'numpy', 'mmcv', 'mmcv-lite', 'mmdet3d', 'spconv-cu120', 'spconv-cu126')


def describe_environment(device: torch.device) -> Dict[str, Any]:
    """Returns where and with what a measurement is made."""
    return {'device': str(device), **hardware(), 'packages': package_versions(PACKAGES),
            'code': code_facts(), 'date': now()}


def machine_line(environment: Dict[str, Any]) -> str:
    """Returns the environment in one sentence, for a caption."""
    on_gpu = str(environment['device']).startswith('cuda')
    machine = environment['gpu'] if on_gpu else f'{environment["cpu"]}, {environment["cpu_threads"]} threads'
    others = '' if on_gpu else '; no GPU was used'
    code = environment['code']
    commit = f', commit {code["commit"][:7]}{" with changes" if code["is_dirty"] else ""}' if code else ''
    return (f'{environment["date"][:10]} on {machine} (torch {environment["packages"]["torch"]}{commit})'
            f'{others}')


# What must be the same for times to be comparable.
MACHINE = ('device', 'cpu', 'cpu_threads', 'gpu')


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contestant's result.

    Attributes:
        name: of the contestant.
        device: what it ran on, as torch calls it.
        dtype: of its numbers.
        shape: of its input, in words: `32400 x 128`.
        median_s: seconds of one call, the median over the repeats.
        spread: seconds between the lower and the upper quartile of the repeats.
        peak_bytes: most bytes that one call held at once beyond what stood before it; None if not measured.
        macs: multiply-adds of one call; None if not counted.
        mode: what a call does: `inference`, `training step`, ...
        repeats: how many timings the median is taken over.
        includes: what the seconds include, in words.
        excludes: what they leave out, in words.
        facts: further numbers of this sub-command, such as samples per second.
    """

    name: str
    device: str
    dtype: str
    shape: str
    median_s: float
    spread: float
    peak_bytes: Optional[int] = None
    macs: Optional[int] = None
    mode: str = 'inference'
    repeats: int = 1
    includes: str = ''
    excludes: str = ''
    facts: Optional[Mapping[str, Any]] = None


def rows_as_json(rows: Sequence[Row], environment: Mapping[str, Any]) -> List[Dict[str, Any]]:
    """Returns the content of a `--json` file: a list of rows, each with the machine that it came from."""
    return [{**asdict(row), 'facts': dict(row.facts or {}), 'environment': dict(environment)} for row in rows]


def rows_from_json(content: Any, environment: Mapping[str, Any]) -> List[Row]:
    """Returns the rows of a `--json` file; those that were measured on another machine are refused."""
    try:
        rows = [Row(**{key: value for key, value in row.items() if key != 'environment'}) for row in content]
        measured_on = [{key: row['environment'][key] for key in MACHINE} for row in content]
    except (TypeError, KeyError, AttributeError) as error:
        raise UserError(f'--join got something else than a file that --json wrote ({error})') from error
    here = {key: environment[key] for key in MACHINE}
    others = [machine for machine in measured_on if machine != here]
    if others:
        raise UserError(f'--join got rows measured on {others[0]}, this is {here}; compare on one machine')
    return rows


def find_row(rows: Sequence[Row], name: str, **facts: Any) -> Row:
    """The one row of a name with these attributes, such as mode='inference'; LookupError otherwise."""
    found = [row for row in rows if row.name == name
             and all(getattr(row, key) == value for key, value in facts.items())]
    if len(found) != 1:
        raise LookupError(f'expected one row {name!r} with {facts}, found {len(found)}')
    return found[0]


def ratio(rows: Sequence[Row], name: str, reference: str, *, of: str = 'median_s', **facts: Any) -> float:
    """Returns how many times as much the reference takes as a contestant: 2.0 means half the time.

    Args:
        rows: the measurements.
        name: the contestant.
        reference: the contestant that it is compared with.
        of: `median_s` or `peak_bytes`.
        **facts: attributes that tell the two rows apart from others.
    """
    ours, theirs = (getattr(find_row(rows, one, **facts), of) for one in (name, reference))
    return theirs / ours if ours else math.inf


HEADER = ('name', 'mode', 'shape', 'dtype', 'median', 'spread', 'peak memory', 'multiply-adds')


def cells(row: Row) -> List[str]:
    """Returns a row's numbers as a person reads them, in the order of HEADER."""
    return [row.name, row.mode, row.shape, row.dtype, seconds(row.median_s), seconds(row.spread),
            '–' if row.peak_bytes is None else mebibytes(row.peak_bytes),
            '–' if row.macs is None else three_digits(row.macs)]


def text_table(rows: Sequence[Row]) -> str:
    """Returns the rows for a terminal; a heading and one line per row."""
    return terminal_table(HEADER, list(map(cells, rows)), words=4)


def seconds(value: float) -> str:
    """Writes a time with three digits: 123 ms, 1.23 s, 45.6 µs."""
    for size, unit in ((1.0, 's'), (1e-3, 'ms'), (1e-6, 'µs')):
        if value >= size:
            return f'{_three(value / size)} {unit}'
    return f'{_three(value * 1e9)} ns' if value > 0 else '0 s'


def mebibytes(count: int) -> str:
    """Writes a size: 12.3 MiB, 1.5 GiB, 0 for none."""
    for size, unit in ((2 ** 30, 'GiB'), (2 ** 20, 'MiB'), (2 ** 10, 'KiB')):
        if count >= size:
            return f'{_three(count / size)} {unit}'
    return f'{count} B' if count else '0'


def _three(value: float) -> str:
    return f'{value:.0f}' if value >= 99.95 else f'{value:.1f}' if value >= 9.995 else f'{value:.2f}'


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
