"""Runs a command as `gemini3d` does, in this process to save the imports."""
import argparse
import sys
from dataclasses import dataclass
from typing import Any, Sequence

import pytest

from geminifusion3d.commands.main import main, parse


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


class Gemini3d:
    """Runs commands and returns what they left behind.

    Args:
        monkeypatch: of the test.
        capsys: of the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, *words: Any) -> Done:
        """Runs the command line."""
        self._monkeypatch.setattr(sys, 'argv', ['gemini3d', *map(str, words)])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        code = end.value.code
        return Done(code or 0, *self._capsys.readouterr())


def benchmark_arguments(words: Sequence[str]) -> argparse.Namespace:
    """Returns the arguments of a benchmark, the device ready."""
    from gemini_lab.benchmark.rows import prepare
    args = parse('benchmark', *words)
    prepare(args)
    return args
