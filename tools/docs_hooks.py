"""What `make docs` takes from the code into the pages of docs/, so that nothing is written twice.

    <!-- code: fusion/gemini_fusion.py RelationScore.forward -->   the source of a class or function
    <!-- doc: sensors/records.py -->   signature and docstring of a module, class or function
    <!-- recipes: compare -->   what each recipe of a folder of configs/ changes, and why; `.`: of configs/
    <!-- commands -->   the help of every command
    <!-- file: CHANGELOG.md -->   a Markdown file of the repository
"""
import ast
import os
import re
import textwrap
from pathlib import Path
from typing import Any, List

REPO = Path(__file__).resolve().parents[1]
PRODUCT = REPO / 'projects' / 'GeminiFusion3D' / 'geminifusion3d'
MARK = re.compile(r'^<!-- (code|doc|recipes|commands|file):? ?(.*?) ?-->$', re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replaces the marks of a page; mkdocs calls it with each."""
    return MARK.sub(lambda mark: CONTENT[mark[1]](*mark[2].split()), markdown)


def code(file: str, name: str) -> str:
    """Returns a definition as it stands in the product, without what indents it."""
    text = (PRODUCT / file).read_text()
    node = _find(text, name)
    lines = text.splitlines()[node.lineno - 1:node.end_lineno]
    return '\n'.join(['```python', *(line[node.col_offset:] for line in lines), '```'])


def doc(file: str, name: str = '') -> str:
    """Returns signature and docstring, as plain text: they are written to be read so."""
    node = _find((PRODUCT / file).read_text(), name)
    lines = ['```text']
    if name:
        called = name.rpartition('.')[2]
        indent = ' ' * (len(called) + 1)
        lines += [*textwrap.wrap(f'{called}({_arguments(node)})', 90, subsequent_indent=indent), '']
    return '\n'.join([*lines, ast.get_docstring(node) or '', '```'])


def recipes(folder: str) -> str:
    """Returns a table of the recipes of a folder."""
    rows = ['| recipe | what it is | why |', '|---|---|---|']
    for path in sorted((REPO / 'configs' / folder).glob('*.py')):
        what, _, why = (ast.get_docstring(ast.parse(path.read_text())) or '').partition('Why: ')
        rows.append(f'| `{path.stem}` | {" ".join(what.split())} | {" ".join(why.split())} |')
    return '\n'.join(rows)


def commands() -> str:
    """Returns the help of every command."""
    from geminifusion3d.commands.main import all_commands, make_parser
    os.environ['COLUMNS'] = '100'
    parts: List[str] = []
    for name, command in sorted(all_commands().items()):
        parts += [f'## {name}', '', '```text', make_parser(command).format_help().rstrip(), '```', '']
    return '\n'.join(parts)


def file(name: str) -> str:
    """Returns a file of the repository; its links to others become those to their pages."""
    return (REPO / name).read_text().replace('](CHANGELOG.md)', '](changelog.md)')


def _find(text: str, name: str) -> Any:
    node: Any = ast.parse(text)
    for part in filter(None, name.split('.')):
        node = next(child for child in node.body if getattr(child, 'name', None) == part)
    return node


def _arguments(node: Any) -> str:
    """Returns the arguments of a function, or of what builds an object of a class."""
    if isinstance(node, ast.ClassDef):
        made = [child for child in node.body if getattr(child, 'name', None) == '__init__']
        if not made:
            # A dataclass: its fields.
            return ', '.join(ast.unparse(child) for child in node.body if isinstance(child, ast.AnnAssign))
        node = made[0]
    return re.sub(r'^self(, )?', '', ast.unparse(node.args))


CONTENT = {'code': code, 'doc': doc, 'recipes': recipes, 'commands': commands, 'file': file}
