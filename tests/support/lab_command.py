"""Runs a command of the laboratory as `gemini3d` does, in this process to save the imports."""
from importlib import import_module
from types import SimpleNamespace

import pytest

from geminifusion3d.cli import run_cli
from geminifusion3d.commands.main import make_parser
from gemini_lab.commands import COMMANDS


def run_command(capsys, name, *words):
    """Returns exit code, output and the last line of the errors; code 2 is a user's mistake."""
    command = next(one for one in COMMANDS if one.name == name)
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        run_cli(lambda: import_module(command.module).run(make_parser(command).parse_args([*map(str, words)])))
    out, err = capsys.readouterr()
    return SimpleNamespace(code=end.value.code, out=out, err=err, error=(err.splitlines() or [''])[-1])
