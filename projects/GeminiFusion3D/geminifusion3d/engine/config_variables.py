"""Variables of a config, set from outside: `data_root`, `max_epochs`, `sweeps_num`.

A config is a program. Where it says `sweeps_num = 4` and uses the name further down, or a file that
inherits from it does, an override of `sweeps_num` after the program has run changes nothing. Here the
files are evaluated anew, with the assignment followed by one of the new value.
"""
import ast
import re
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmengine.config import Config

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


def base_file(base: str, path: Path) -> Optional[Path]:
    """Returns the file that a config inherits from; None for one of another package.

    Args:
        base: as the config names it.
        path: the config.
    """
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
    if path.suffix != '.py':
        raise ValueError(f'{path} is no Python')
    text = path.read_text(encoding='utf-8')
    for word, part in PLACEHOLDERS.items():
        text = re.sub(r'\{\{\s*%s\s*\}\}' % word, lambda match, value=part(path): value, text)
    module, body = ast.parse(text), []
    for node in module.body:
        if isinstance(node, ast.With):
            raise ValueError(f'{path} inherits by read_base')
        names = [target.id for target in getattr(node, 'targets', ()) if isinstance(target, ast.Name)]
        if names == [BASES]:
            bases = ast.literal_eval(node.value)
            node.value = ast.Constant([
                str(_rewrite(file, statements, folder)) if (file := base_file(base, path)) else base
                for base in ([bases] if isinstance(bases, str) else bases)])
        body.append(node)
        for name in names:
            body += statements.get(name, ())
    # A name of its own: two folders may hold files of one name.
    new = folder / f'{len(list(folder.iterdir()))}_{path.name}'
    new.write_text(ast.unparse(ast.fix_missing_locations(ast.Module(body, []))), encoding='utf-8')
    return new
