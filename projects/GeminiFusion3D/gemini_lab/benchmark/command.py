"""What `tools/benchmark.py` does: measure, print, write."""
import json
from argparse import Namespace
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from geminifusion3d.atomic import atomic_write, write_json
from geminifusion3d.errors import UserError
from ..markdown_block import replace_block, write_block
from ..text_table import markdown_table
from .arguments import parse_arguments
from .environment import describe_environment, machine_line
from .rows import HEADER, Row, cells, rows_as_json, rows_from_json, text_table

DOCS = 'docs'


def benchmark(arguments: Optional[List[str]] = None) -> int:
    """Runs one sub-command.

    Args:
        arguments: default: the command line.

    Returns:
        The exit code, 0.
    """
    parsed = parse_arguments(arguments)
    if parsed.readme:
        _check_block(parsed)
    environment = describe_environment(parsed.device)
    print(f'{parsed.what}: {machine_line(environment)}', flush=True)
    earlier = [row for path in parsed.join for row in _read(path, environment)]
    rows = earlier + parsed.module.run(parsed)
    print(text_table(rows))
    print('\n'.join(words(rows)))
    if parsed.json:
        write_json(parsed.json, rows_as_json(rows, environment), indent=1)
    if parsed.readme:
        _write_readme(parsed, rows, environment)
    return 0


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
    told = []
    for (includes, excludes), of in names.items():
        labelled = (('includes', includes), ('excludes', excludes))
        parts = [f'{label} {text}' for label, text in labelled if text]
        if parts:
            told.append(f'{", ".join(of)}: {"; ".join(parts)}')
    return told


def _write_readme(parsed: Namespace, rows: Sequence[Row], environment: Dict[str, Any]) -> None:
    folder = parsed.readme.parent / DOCS
    charts = parsed.module.charts(rows) if hasattr(parsed.module, 'charts') else {}
    for name, svg in charts.items():
        with atomic_write(folder / name) as part:
            part.write_text(svg)
    own = getattr(parsed.module, 'markdown', None)
    text = own(rows) if own else markdown_table(HEADER, list(map(cells, rows)), words=4)
    write_block(parsed.readme, block_name(parsed.what), f'{text}\n\nMeasured {machine_line(environment)}.')


def block_name(what: str) -> str:
    """Returns the name of a sub-command's block in the README."""
    return f'benchmark-{what}'


def _check_block(parsed: Namespace) -> None:
    """Makes sure before minutes of measuring that there is a place for the result."""
    path = Path(parsed.readme)
    if not path.is_file():
        raise UserError(f'--readme {path} does not exist; name a Markdown file with the block '
                        f'{block_name(parsed.what)}')
    replace_block(path.read_text(), block_name(parsed.what), '')
