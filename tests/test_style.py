"""What the linters do not see: who imports whom, docstrings, leftovers."""
import ast
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from pathlib import Path
from typing import Dict, Iterator, List, Set

import pytest

REPO = Path(__file__).resolve().parents[1]
PLUGIN = REPO / 'projects' / 'GeminiFusion3D'
PRODUCT, LABORATORY = 'geminifusion3d', 'gemini_lab'
FILES = sorted(file for folder in ('projects', 'tools', 'tests') for file in (REPO / folder).rglob('*.py'))
CODE = [file for file in FILES if file.relative_to(REPO).parts[0] != 'tests'
        and 'configs' not in file.relative_to(REPO).parts]
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
LEFTOVERS = re.compile(r'#\s*(TODO|FIXME|XXX)\b|^\s*(breakpoint|pdb\.set_trace)\(')
HEAVY = ('torch', 'mmengine', 'mmdet3d')


def name_of(file: Path) -> str:
    """Return a test's name for a file."""
    return str(file.relative_to(REPO))


def modules() -> Dict[str, Path]:
    """Return the files of the two packages by dotted name."""
    files = [file for package in (PRODUCT, LABORATORY) for file in (PLUGIN / package).rglob('*.py')]
    names = ['.'.join(file.relative_to(PLUGIN).with_suffix('').parts) for file in files]
    return {name.removesuffix('.__init__'): file for name, file in zip(names, files)}


def imports(name: str, file: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports, inside functions too, relative ones resolved."""
    package = name if file.name == '__init__.py' else name.rpartition('.')[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = resolve_name('.' * node.level + (node.module or ''), package)
            yield from (f'{base}.{alias.name}' for alias in node.names)


def folder_of(dotted: str) -> str:
    """Return the folder, or the module at the root of its package, that a name belongs to."""
    return '.'.join(dotted.split('.')[:2])


def folder_graph() -> Dict[str, Set[str]]:
    """Return which folders of the two packages import which, their roots' __init__ left out."""
    graph: Dict[str, Set[str]] = {}
    for name, file in modules().items():
        if '.' in name:
            used = {folder_of(other) for other in imports(name, file)
                    if other.startswith((f'{PRODUCT}.', f'{LABORATORY}.'))}
            graph.setdefault(folder_of(name), set()).update(used - {folder_of(name)})
    return graph


def definitions(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield functions, methods and classes that somebody else may use."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, DEFINITIONS):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from definitions(node)


def test_folders_import_in_one_direction() -> None:
    graph = folder_graph()
    assert {f'{PRODUCT}.detector', f'{PRODUCT}.fusion', f'{LABORATORY}.synthetic'} <= set(graph)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(' <- '.join(error.args[1]))


def test_the_product_imports_nothing_of_the_laboratory_and_its_commands_nobody() -> None:
    graph = folder_graph()
    for folder, used in graph.items():
        if folder.startswith(f'{PRODUCT}.'):
            assert [other for other in used if other.startswith(LABORATORY)] == [], folder
            assert folder == f'{PRODUCT}.__main__' or f'{PRODUCT}.commands' not in used, folder


def test_a_submission_is_judged_without_torch_and_mmdet3d() -> None:
    names = [name for name in modules() if folder_of(name) == f'{PRODUCT}.submission']
    code = f'import sys, {", ".join(names)}\nprint([name for name in {HEAVY} if name in sys.modules])'
    ended = subprocess.run([sys.executable, '-c', code], text=True, capture_output=True)
    assert ended.stdout.strip() == '[]', ended.stderr


def test_the_product_imports_itself_relatively() -> None:
    # A module that names its package cannot be dropped into an mmdetection3d tree.
    absolute: List[str] = []
    for name, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text())):
            named = ([alias.name for alias in node.names] if isinstance(node, ast.Import) else
                     [node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
            absolute += [f'{name}: {other}' for other in named
                         if folder_of(name).startswith(PRODUCT) and other.split('.')[0] == PRODUCT]
    assert absolute == []


@pytest.mark.parametrize('file', FILES, ids=name_of)
def test_every_module_says_what_it_is(file: Path) -> None:
    text = file.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), 'no docstring at the top'


@pytest.mark.parametrize('file', CODE, ids=name_of)
def test_code_is_documented_and_has_no_leftovers(file: Path) -> None:
    text = file.read_text()
    tree = ast.parse(text)
    findings = [f'line {node.lineno}: {node.name} has no docstring' for node in definitions(tree)
                if not node.name.startswith('_') and ast.get_docstring(node) is None]
    findings += [f'line {node.lineno}: raise an error with a message instead of assert'
                 for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    findings += [f'line {number}: {line.strip()}' for number, line in
                 enumerate(text.splitlines(), 1) if LEFTOVERS.search(line)]
    assert findings == []


def test_no_compiled_or_generated_file_is_under_version_control() -> None:
    listed = subprocess.run(['git', 'ls-files'], cwd=REPO, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip('not a git checkout')
    generated = [name for name in listed.stdout.splitlines()
                 if name.endswith(('.pyc', '.so', '.pth', '.pkl')) or name.startswith('work_dirs/')]
    assert generated == []


def test_nothing_but_tests_replaces_by_mocks():
    assert [path for path in (REPO / 'projects').rglob('*.py') if 'unittest' in path.read_text()] == []
