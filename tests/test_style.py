"""What the linters do not see: docstrings, sizes, leftovers."""
import ast
import re
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
FOLDERS = ('projects', 'data_converters', 'tools', 'tests', 'configs')
FILES = sorted(file for folder in FOLDERS for file in (REPO / folder).rglob('*.py'))
CODE = [file for file in FILES if file.relative_to(REPO).parts[0] not in ('tests', 'configs')]
MAX_FILE_LINES = 250
MAX_FUNCTION_LINES = 60
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LEFTOVERS = re.compile(r'#\s*(TODO|FIXME|XXX)\b|^\s*(breakpoint|pdb\.set_trace)\(')


def name_of(file: Path) -> str:
    """A test's name for a file."""
    return str(file.relative_to(REPO))


def definitions(tree: ast.AST):
    """Yields functions, methods and classes that somebody else may use."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, DEFINITIONS):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node)


@pytest.mark.parametrize('file', FILES, ids=name_of)
def test_every_module_says_what_it_is(file):
    text = file.read_text()
    is_config = file.relative_to(REPO).parts[0] == 'configs'
    assert (not text.strip() or ast.get_docstring(ast.parse(text))
            or is_config and text.startswith('# ')), 'neither docstring nor comment at the top'


@pytest.mark.parametrize('file', CODE, ids=name_of)
def test_code_is_documented_and_small(file):
    text = file.read_text()
    tree = ast.parse(text)
    findings = []
    if len(text.splitlines()) > MAX_FILE_LINES:
        findings.append(f'{len(text.splitlines())} lines, at most {MAX_FILE_LINES}')
    for node in definitions(tree):
        if not node.name.startswith('_') and ast.get_docstring(node) is None:
            findings.append(f'line {node.lineno}: {node.name} has no docstring')
        if (not isinstance(node, ast.ClassDef)
                and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES):
            findings.append(f'line {node.lineno}: {node.name} is longer than '
                            f'{MAX_FUNCTION_LINES} lines')
    findings += [f'line {node.lineno}: raise an error with a message instead of assert'
                 for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    findings += [f'line {number}: {line.strip()}' for number, line in
                 enumerate(text.splitlines(), 1) if LEFTOVERS.search(line)]
    assert findings == []


def test_no_compiled_or_generated_file_is_kept_under_version_control():
    listed = subprocess.run(['git', 'ls-files'], cwd=REPO, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip('not a git checkout')
    kept = [name for name in listed.stdout.splitlines()
            if name.endswith(('.pyc', '.so', '.pth', '.pkl')) or name.startswith('work_dirs/')]
    assert kept == []
