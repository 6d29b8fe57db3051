"""Small mistakes put into the code, one at a time: do the tests notice?

A mistake is a value that is no longer handed on, a constant that is another one, two arguments in each
other's place, a sign, an operation or a comparison turned round. The test file that mirrors the module runs
on a copy of the checkout; where it passes, the tests of the whole folder do, and after them those of whatever
imports the module. What passes them all is printed: either no test looks there, or the mistake changes
nothing. Exit codes: 0 every mistake was noticed, 1 some were not.

Example:
    python -m gemini_lab.campaigns.mutants --only fusion heads --n 60 --out work_dirs/campaigns
"""
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from . import campaign_parser

REPO = Path(__file__).resolve().parents[4]
PLUGIN, PRODUCT = 'projects/GeminiFusion3D', 'geminifusion3d'
FOLDERS = ('fusion', 'heads', 'alignment', 'geometry', 'sensors', 'results', 'submission')
# What tests import from elsewhere; whoever is forked has it already.
PRELOADED = ('mmdet3d.apis', 'nuscenes.eval.detection.evaluate', 'spconv.pytorch', 'shapely', 'pytest',
             'matplotlib.pyplot', 'jaxtyping')
OPERATIONS = {ast.Add: '-', ast.Sub: '+', ast.Mult: '/', ast.Div: '*', ast.FloorDiv: '*', ast.MatMult: '+',
              ast.Lt: '<=', ast.LtE: '<', ast.Gt: '>=', ast.GtE: '>', ast.Eq: '!=', ast.NotEq: '==',
              ast.And: 'or', ast.Or: 'and', ast.BitAnd: '|', ast.BitOr: '&'}
# A mistake may make tests endless; without one they take a fraction of this.
LEAST_TIMEOUT_S, LONGEST_S = 120, 300
NOTICED, SURVIVED, SLOW, UNTESTED = 'noticed', 'SURVIVED', 'noticed by its time', 'no test runs here'


class Mutant(NamedTuple):
    """A mistake.

    Attributes:
        path: of the module, below the checkout.
        line: where it is.
        kind: what was done.
        before: the source that gives way.
        after: the source in its place.
        start: where it begins in the file, in characters.
    """

    path: str
    line: int
    kind: str
    before: str
    after: str
    start: int

    def __str__(self) -> str:
        return f'{self.path}:{self.line} {self.kind}: {self.before} -> {self.after or "nothing"}'


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yields every mistake that is tried on a module."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    data = source.encode()

    def place(line: int, column: int) -> int:
        return len(data[:starts[line - 1] + column].decode())

    def make(kind: str, line: int, start: int, end: int, after: str) -> Mutant:
        return Mutant(path, line, kind, source[start:end], after, start)

    def span(node: Any) -> Tuple[int, int]:
        return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)

    for node in _code(ast.parse(source)):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg and isinstance(keyword.value, (ast.Name, ast.Attribute)):
                    start, end = span(keyword)
                    behind = len(source[end:]) - len(source[end:].lstrip(', \n'))
                    yield make('not handed on', keyword.lineno, start, end + behind, '')
            yield from _exchanged(node.args, make, span, source)
        elif isinstance(node, ast.Tuple):
            yield from _exchanged(node.elts, make, span, source)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
            start, end = span(node)
            after = (not node.value if isinstance(node.value, bool) else node.value + 1
                     if isinstance(node.value, int) else node.value * 2 or 1.0)
            yield make('constant', node.lineno, start, end, repr(after))
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not, ast.Invert)):
            start, _ = span(node)
            yield make('sign', node.lineno, start, span(node.operand)[0], '')
        else:
            for operator, left, right in _operations(node):
                if type(operator) in OPERATIONS:
                    start, end = span(left)[1], span(right)[0]
                    between, sign = source[start:end], _sign(operator)
                    # Brackets of the operands stand there, too.
                    if between.count(sign) == 1:
                        at = start + between.index(sign)
                        yield make('operation', left.end_lineno or 0, at, at + len(sign),
                                   OPERATIONS[type(operator)])


def _code(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes that act when all is well: no annotations, messages, defaults of typing."""
    for name, value in ast.iter_fields(tree):
        if name in ('annotation', 'returns', 'decorator_list', 'type_params'):
            continue
        for node in value if isinstance(value, list) else [value]:
            if isinstance(node, ast.AST) and not isinstance(node, (ast.Raise, ast.JoinedStr, ast.Subscript)):
                yield node
                yield from _code(node)
            elif isinstance(node, ast.Subscript):
                yield from _code(node)


def _operations(node: ast.AST) -> Iterator[Tuple[ast.AST, ast.expr, ast.expr]]:
    if isinstance(node, ast.BinOp):
        yield node.op, node.left, node.right
    elif isinstance(node, ast.Compare):
        yield from zip(node.ops, [node.left, *node.comparators], node.comparators)
    elif isinstance(node, ast.BoolOp):
        yield from ((node.op, left, right) for left, right in zip(node.values, node.values[1:]))


def _sign(operator: ast.AST) -> str:
    return {ast.Add: '+', ast.Sub: '-', ast.Mult: '*', ast.Div: '/', ast.FloorDiv: '//', ast.MatMult: '@',
            ast.Lt: '<', ast.LtE: '<=', ast.Gt: '>', ast.GtE: '>=', ast.Eq: '==', ast.NotEq: '!=',
            ast.And: 'and', ast.Or: 'or', ast.BitAnd: '&', ast.BitOr: '|'}[type(operator)]


def _exchanged(nodes: Sequence[ast.expr], make: Callable[..., Mutant],
               span: Callable[[ast.expr], Tuple[int, int]], source: str) -> Iterator[Mutant]:
    """Yields two like neighbours in each other's place."""
    for one, two in zip(nodes, nodes[1:]):
        if type(one) is type(two) and isinstance(one, (ast.Name, ast.Attribute, ast.Subscript)):
            (start, end), (start_two, end_two) = span(one), span(two)
            first, second = source[start:end], source[start_two:end_two]
            if first != second:
                yield make('order', one.lineno, start, end_two, second + source[end:start_two] + first)


def chosen(folders: Sequence[str], count: int, seed: int) -> List[Mutant]:
    """Returns mistakes drawn by lot, as many kinds of each as there are places for them."""
    found: List[Mutant] = []
    for folder in folders:
        for path in sorted((REPO / PLUGIN / PRODUCT / folder).glob('*.py')):
            found += mutants_of(str(path.relative_to(REPO)), path.read_text())
    random.Random(seed).shuffle(found)
    return found[:count]


def tests_of(path: str) -> Iterator[List[str]]:
    """Yields what to run for a module: its mirror, then its folder, then the tests of what imports it."""
    module = Path(path).relative_to(Path(PLUGIN, PRODUCT))
    folder = Path('tests') / module.parent
    mirror = folder / f'test_{module.stem}.py'
    if (REPO / mirror).is_file():
        yield [str(mirror)]
    if (REPO / folder).is_dir():
        yield [str(folder), *([f'--ignore={mirror}'] if (REPO / mirror).is_file() else [])]
    name = f'{PRODUCT}.{".".join(module.with_suffix("").parts)}'
    wanted = (name, f'.{module.stem} import')
    users = {source for source in (REPO / PLUGIN / PRODUCT).rglob('*.py')
             if any(text in source.read_text() for text in wanted)}
    mirrors = {Path('tests') / user.relative_to(REPO / PLUGIN / PRODUCT).with_name(f'test_{user.name}')
               for user in users}
    mirrors |= {test.relative_to(REPO) for test in (REPO / 'tests').rglob('test_*.py')
                if name in test.read_text()}
    others = sorted(str(test) for test in mirrors if folder not in test.parents and (REPO / test).is_file())
    if others:
        yield others


class Checkout:
    """A copy of the checkout, and which tests pass in it.

    Args:
        folder: where it is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds: Dict[Tuple[str, ...], Optional[float]] = {}
        files = subprocess.run(['git', 'ls-files', '-z'], cwd=REPO, check=True, capture_output=True).stdout
        for name in files.decode().split('\0'):
            if (REPO / name).is_file() or (REPO / name).is_symlink():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPO / name, folder / name, follow_symlinks=False)

    def noticed(self, mutant: Mutant) -> str:
        """Puts a mistake in, runs the tests and takes it out again."""
        path = self.folder / mutant.path
        source = path.read_text()
        spoilt = source[:mutant.start] + mutant.after + source[mutant.start + len(mutant.before):]
        try:
            ast.parse(spoilt)
        except SyntaxError:
            return 'no Python'
        what = UNTESTED
        for tests in tests_of(mutant.path):
            sound_s = self._sound_s(tests)
            if sound_s is None:
                continue
            path.write_text(spoilt)
            try:
                code = run_tests(tests, self.folder, max(LEAST_TIMEOUT_S, 4 * sound_s))
            finally:
                path.write_text(source)
            if code:
                return NOTICED if code > 0 else SLOW
            what = SURVIVED
        return what

    def _sound_s(self, tests: Sequence[str]) -> Optional[float]:
        """Returns how long tests take without a mistake; None where they fail."""
        key = tuple(tests)
        if key not in self._seconds:
            began_s = time.monotonic()
            code = run_tests(tests, self.folder, LONGEST_S)
            self._seconds[key] = None if code else time.monotonic() - began_s
            if code:
                print(f'without a mistake, {" ".join(tests)} ends with {code}', flush=True)
        return self._seconds[key]


def run_tests(tests: Sequence[str], copy: Path, timeout_s: float) -> int:
    """Runs tests in a fork of this process; returns their exit code, or less than 0 if they take too long."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            os._exit(_run_tests(tests, copy))
        finally:
            os._exit(99)
    until_s = time.monotonic() + timeout_s
    while time.monotonic() < until_s:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 98
        time.sleep(0.1)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _run_tests(tests: Sequence[str], copy: Path) -> int:
    os.setsid()
    os.chdir(copy)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    # The copy's, not the one of this campaign.
    sys.path[:0] = [str(copy), str(copy / PLUGIN)]
    os.environ['PYTHONPATH'] = os.pathsep.join(sys.path[:2])
    own = PRODUCT, str(__package__).partition('.')[0]
    for name in [name for name in sys.modules if name.partition('.')[0] in own]:
        del sys.modules[name]
    import pytest
    return int(pytest.main(['-x', '-q', '-p', 'no:cacheprovider', *tests]))


def run(folders: Sequence[str], count: int, seed: int, out: Path) -> int:
    """Tries mistakes; returns how many nobody noticed."""
    os.environ.update(OMP_NUM_THREADS='1', PYTHONDONTWRITEBYTECODE='1')
    folder = (out / 'mutants').resolve()
    shutil.rmtree(folder, ignore_errors=True)
    checkout = Checkout(folder)
    for name in PRELOADED:
        import_module(name)
    figures: 'Counter[str]' = Counter()
    survivors: List[Mutant] = []
    for number, mutant in enumerate(chosen(folders, count, seed)):
        what = checkout.noticed(mutant)
        figures[what] += 1
        survivors += [mutant] if what in (SURVIVED, UNTESTED) else []
        print(f'{number}: {mutant}: {what}', flush=True)
    print(f'{count} mistakes in {", ".join(folders)}: {dict(figures)}')
    for mutant in survivors:
        print(f'  {mutant}')
    shutil.rmtree(folder)
    return len(survivors)


if __name__ == '__main__':
    parser = campaign_parser(__doc__, 'where the copy of the checkout is made', n=150, what='mistakes')
    parser.add_argument('--only', nargs='+', default=FOLDERS, metavar='FOLDER',
                        help=f'of {PRODUCT}; default: {" ".join(FOLDERS)}')
    arguments = parser.parse_args()
    sys.exit(1 if run(arguments.only, arguments.n, arguments.seed, arguments.out) else 0)
