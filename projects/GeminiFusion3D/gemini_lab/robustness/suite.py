"""The robustness suite: the clean evaluation, then every corruption at every severity."""
from pathlib import Path
from typing import Callable, List, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import atomic_write, write_json
from .changed_recipe import corrupted, is_touched
from .conditions import CLEAN, Condition, Evaluate, ScoreBook, run_conditions
from .resistance import condition_name
from .robustness_report import RobustnessReport

SCORES_FILE, JSON_FILE, MARKDOWN_FILE = 'scores.json', 'robustness.json', 'robustness.md'


def suite_conditions(cfg: Config, corruptions: Sequence[str], severities: Sequence[int]) -> List[Condition]:
    """Returns all evaluations of the suite.

    Args:
        cfg: the recipe.
        corruptions: names of the catalogue.
        severities: some of 1, 2, 3.
    """
    conditions = [Condition(CLEAN, cfg)]
    for name in corruptions:
        same_as = '' if is_touched(cfg, name) else CLEAN
        conditions += [Condition(condition_name(name, severity), corrupted(cfg, name, severity), same_as)
                       for severity in severities]
    return conditions


def run_suite(cfg: Config, book: ScoreBook, evaluate: Evaluate, *, corruptions: Sequence[str],
              severities: Sequence[int], say: Callable[[str], None] = print, is_writer: bool = True
              ) -> RobustnessReport:
    """Runs what is not done yet and returns the result of all.

    Args:
        cfg: the recipe.
        book: finished scores.
        evaluate: runs one evaluation.
        corruptions: names of the catalogue.
        severities: some of 1, 2, 3.
        say: shows one line.
        is_writer: keep results; of several processes one does.
    """
    run_conditions(suite_conditions(cfg, corruptions, severities), book, evaluate, say=say,
                   is_writer=is_writer)
    untouched = [name for name in corruptions if not is_touched(cfg, name)]
    return RobustnessReport(book.scores, corruptions, severities, untouched)


def write_report(report: RobustnessReport, folder: Path, model: str) -> None:
    """Writes JSON and Markdown.

    Args:
        report: the result.
        folder: where.
        model: how the tables call it.
    """
    write_json(folder / JSON_FILE, report.to_json(), indent=2)
    with atomic_write(folder / MARKDOWN_FILE) as part:
        part.write_text(report.to_markdown(model))
