"""Variables of a config, set from outside: `data_root`, `max_epochs`, `sweeps_num`.

A config is a program. Where it says `sweeps_num = 4` and uses the name further down, or a file that
inherits from it does, an override of `sweeps_num` after the program has run changes nothing. Here the
files are evaluated anew, with the assignment followed by one of the new value.

For the same reason a name at the top of a user's config may be read by nobody: `voxel_m = ...` in a file
whose base has used its own `voxel_m` already changes nothing; nor does a number at the top of a dumped
config, in which the sections hold copies of it, nor a misspelt section. An ablation by such a name returns
the baseline.
"""
import ast
import difflib
import logging
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Set, Tuple

from mmengine.config import Config
from mmengine.logging import print_log

from ..errors import UserError

BASES = '_base_'
# Before the name of a recipe that comes with this package.
SHIPPED = 'geminifusion3d::'
RECIPES = (Path(__file__).resolve().parents[1] / '.mim' / 'configs').resolve()
# What mmengine writes for these words in double braces: parts of the file's own name.
PLACEHOLDERS = dict(fileDirname=lambda path: str(path.parent), fileBasename=lambda path: path.name,
                    fileBasenameNoExtension=lambda path: path.stem, fileExtname=lambda path: path.suffix)


def evaluate_with(path: Path, variables: Mapping[str, Any]) -> Optional[Config]:
    """Evaluates a config and the files that it inherits from with other values of some variables.

    Args:
        path: the config.
        variables: new values by dotted key; the first word is a name at the top of one of the files.

    Returns:
        The config, under its own file name; None where that cannot be done: the file is no Python, inherits
        by `read_base`, or a value is no literal.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            changed = _rewrite(path.absolute(), _assignments(variables), Path(folder))
        except (SyntaxError, ValueError):
            return None
        return Config(Config.fromfile(changed).to_dict(), filename=str(path))


def _base_file(base: str, path: Path) -> Optional[Path]:
    """Returns the file that a config at a path inherits from; None for one of another package."""
    if base.startswith(SHIPPED):
        return RECIPES / base[len(SHIPPED):]
    return None if '::' in base else (path.parent / base).resolve()


def _assignments(variables: Mapping[str, Any]) -> Dict[str, List[ast.stmt]]:
    """Returns the statements that set the variables, by the name that they belong to."""
    statements: Dict[str, List[ast.stmt]] = {}
    for key, value in variables.items():
        root, *rest = key.split('.')
        ast.literal_eval(repr(value))
        # What a file says of a dictionary may be a part of it: the rest comes from those that it inherits
        # from.
        target = root + ''.join(f'[{part}]' if part.isdigit() else f'.setdefault({part!r}, {{}})'
                                for part in rest[:-1])
        target += ''.join(f'[{part}]' if part.isdigit() else f'[{part!r}]' for part in rest[-1:])
        statements.setdefault(root, []).extend(ast.parse(f'{target} = {value!r}').body)
    return statements


def _rewrite(path: Path, statements: Mapping[str, List[ast.stmt]], folder: Path) -> Path:
    """Writes a file and those that it inherits from with the new statements; returns the new path."""
    body: List[ast.stmt] = []
    for node in _parse(path).body:
        names = [target.id for target in getattr(node, 'targets', ()) if isinstance(target, ast.Name)]
        if names == [BASES]:
            bases = ast.literal_eval(node.value)
            node.value = ast.Constant([
                str(_rewrite(file, statements, folder)) if (file := _base_file(base, path)) else base
                for base in ([bases] if isinstance(bases, str) else bases)])
        body.append(node)
        for name in names:
            body += statements.get(name, ())
    # A name of its own: two folders may hold files of one name.
    new = folder / f'{len(list(folder.iterdir()))}_{path.name}'
    new.write_text(ast.unparse(ast.fix_missing_locations(ast.Module(body, []))), encoding='utf-8')
    return new


# Of a name that is meant to be another one; 'voxel' and 'voxels' are closer, 'train_cfg' and 'test_cfg' not.
MISSPELT = 0.85
SHOWN = 3


def check_unread_names(path: Path, cfg: Config, sections: Mapping[str, Any], known: Sequence[str]) -> None:
    """Makes sure that what the file itself sets is read by somebody.

    A name close to one that is read, or that the files it inherits from set, is a slip; another one that
    nobody knows is warned of: it may be a note. In a config that inherits nothing, only one that differs
    from its namesake in a section is.

    Args:
        path: the config.
        cfg: as it was read from there.
        sections: what of it the Runner or a command reads.
        known: names of all such sections.

    Raises:
        UserError: if a name is set that acts nowhere; the message has the keys that would act.
    """
    module = _parsed(path)
    bases = [] if module is None else list(_bases(path, module))
    inherits, notes = bool(bases), []
    known = sorted({*known, *(name for base in bases for name in _all_names(base))} - {BASES})
    for name, inherited in _unread(path):
        if name in sections or name not in cfg:
            continue
        where = f'{path} sets {name} = {_short(cfg[name])}, which nothing reads'
        if inherited:
            _check_inherited(path, cfg, sections, name, where)
            continue
        places = dict(places_of(sections, name))
        if places and _plain(cfg[name]) not in places.values():
            first = next(iter(places))
            problem = (f'{where}; {first} is {_short(places[first])}: set {_listed(list(places))}, or '
                       f'leave {name} out')
            if inherits:
                raise UserError(problem)
            # A config that a run has written, with a number that --cfg-options set, is right as it stands.
            print_log(problem, 'current', logging.WARNING)
        meant = difflib.get_close_matches(name, known, n=1, cutoff=MISSPELT)
        if meant:
            raise UserError(f'{where}: did you mean {meant[0]}?')
        notes += [name] if inherits and not places else []
    if notes:
        print_log(f'{path} sets {_listed(notes)}, which nothing reads: no setting has that name', 'current',
                  logging.WARNING)


def _check_inherited(path: Path, cfg: Config, sections: Mapping[str, Any], name: str, where: str) -> None:
    """Refuses a name that is set behind those who read it."""
    changed = evaluate_with(path, {name: _plain(cfg[name])})
    if changed is None:
        return
    acting = list(_differences(sections, {key: changed.get(key) for key in sections}))
    if acting:
        raise UserError(f'{where}: the files that it inherits from have used their own value before; set '
                        f'{_listed(acting)} there, or give --cfg-options {name}=VALUE')


def _unread(path: Path) -> Iterator[Tuple[str, bool]]:
    """Yields the names that a file sets and does not use itself, and whether a file that it inherits from
    sets them too."""
    module = _parsed(path)
    if module is None:
        return
    used = {node.id for node in ast.walk(module)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    inherited: Set[str] = set().union(*(_all_names(base) for base in _bases(path, module)))
    for name in _names(module):
        if name not in used and not name.startswith('_'):
            yield name, name in inherited


def _parse(path: Path) -> ast.Module:
    """Returns the statements of a file; ValueError if it is no Python, or inherits by `read_base`."""
    if path.suffix != '.py' or not path.is_file():
        raise ValueError(f'{path} is no Python')
    text = path.read_text(encoding='utf-8')
    for word, part in PLACEHOLDERS.items():
        text = re.sub(r'\{\{\s*%s\s*\}\}' % word, lambda match, value=part(path): value, text)
    module = ast.parse(text)
    if any(isinstance(node, ast.With) for node in module.body):
        raise ValueError(f'{path} inherits by read_base')
    return module


def _parsed(path: Path) -> Optional[ast.Module]:
    """Returns the statements of a file, None where it has none that can be read here."""
    try:
        return _parse(path)
    except (SyntaxError, ValueError):
        return None


def _targets(module: ast.Module) -> Iterator[Tuple[str, ast.expr]]:
    for node in module.body:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            for part in target.elts if isinstance(target, ast.Tuple) else (target, ):
                if isinstance(part, ast.Name):
                    yield part.id, node.value


def _names(module: ast.Module) -> Dict[str, None]:
    return dict.fromkeys(name for name, _ in _targets(module))


def _bases(path: Path, module: ast.Module) -> Iterator[Path]:
    for name, value in _targets(module):
        if name == BASES:
            try:
                found = ast.literal_eval(value)
            except ValueError:
                return
            for base in [found] if isinstance(found, str) else found:
                file = _base_file(base, path)
                if file is not None:
                    yield file


def _all_names(path: Path) -> Set[str]:
    module = _parsed(path)
    if module is None:
        return set()
    return set(_names(module)).union(*(_all_names(base) for base in _bases(path, module)))


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, 'to_dict') else value


def _differences(old: Any, new: Any, at: str = '') -> Iterator[str]:
    """Yields the keys of the smallest parts in which two nodes differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
        for key in old:
            yield from _differences(old[key], new[key], f'{at}.{key}' if at else str(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and any(
            isinstance(item, Mapping) for item in old):
        for index, (before, after) in enumerate(zip(old, new)):
            yield from _differences(before, after, f'{at}.{index}')
    elif _plain(old) != _plain(new):
        yield at


def places_of(node: Any, name: str, at: str = '') -> Iterator[Tuple[str, Any]]:
    """Yields the keys of this name below a node, and what they hold."""
    items: Any = node.items() if isinstance(node, Mapping) else (
        enumerate(node) if isinstance(node, (list, tuple)) else ())
    for key, below in items:
        place = f'{at}.{key}' if at else str(key)
        if key == name:
            yield place, _plain(below)
        yield from places_of(below, name, place)


def _listed(keys: Sequence[str]) -> str:
    rest = f' and {len(keys) - SHOWN} more' if len(keys) > SHOWN else ''
    return ', '.join(keys[:SHOWN]) + rest


def _short(value: Any) -> str:
    text = repr(_plain(value))
    return text if len(text) <= 60 else f'{text[:60]}...'
