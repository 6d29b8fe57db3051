"""A run of the comparison that never ends, as a process of it works on it."""
import time
from pathlib import Path
from typing import Any

from gemini_lab.compare.train_and_score import work_on


class EndlessRun:
    """Says by a file that it is at work."""

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def prepare(self) -> None:
        """Makes no folder: it is there."""

    def finish(self, result: Any) -> None:
        """Is never called."""


def work(run, core):
    """Makes one run."""
    work_on(run, core, endless)


def endless(run):
    """Never returns."""
    (run.folder / 'at_work').touch()
    time.sleep(600)
