"""What test-time augmentation gains and costs: plain and augmented evaluations side by side."""
import argparse
import copy
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from geminifusion3d.commands.test_time_augmentation_flags import augment_test_time
from ..text_table import number, terminal_table
from .changed_recipe import read_sensors
from .conditions import CLEAN, METRICS, Condition, Evaluate, ScoreBook, Scores, run_conditions
from .evaluate import evaluate
from .identity import identity_of
from .variants_cost import seconds_per_sample

SCORES_FILE, JSON_FILE = 'scores.json', 'tta_gain.json'
DEFAULT_FOLDER = 'tta_gain'
DEFAULT_TERMS = ('flip', 'rotate', 'scale', 'image-flip')
# Between the terms of one combination.
AND = '+'
HELP = ('evaluate plain and with each of these combinations of --tta\'s terms, such as flip rotate=6,-6 '
        'flip+image-flip, and report what each gains and costs; finished evaluations are kept; default: '
        f'{" ".join(DEFAULT_TERMS)}')
GAIN_HEADER = ['augmentation', *[cell for metric in METRICS for cell in (metric, f'Δ {metric}')],
               'a sample', 'cost']

Cost = Callable[[Mapping[str, Config], Path], Dict[str, float]]


def add_gain_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the flag."""
    parser.add_argument('--tta-gain', nargs='*', metavar='TERM[+TERM]', help=HELP)


def measure_gain(cfg: Config, arguments: argparse.Namespace, *, is_writer: bool) -> None:
    """Does what `tools/test.py --tta-gain` asks for.

    Args:
        cfg: the recipe, with the checkpoint in `load_from`.
        arguments: the command line of `tools/test.py`.
        is_writer: write and speak; of several processes one does.

    Raises:
        UserError: if other flags change the evaluation too.
    """
    if arguments.tta or arguments.drop_cameras or arguments.drop_lidar or arguments.cameras_black:
        raise UserError('got --tta-gain and --tta or a flag that silences sensors; give one of them')
    folder = Path(cfg.work_dir) / ('' if arguments.work_dir else DEFAULT_FOLDER)
    book = ScoreBook(path=folder / SCORES_FILE, identity=identity_of(cfg, cfg.load_from),
                     restart=arguments.restart)
    run_gain(cfg, arguments.tta_gain, book, evaluate, seconds_per_sample, is_writer=is_writer)


def augmented_recipes(cfg: Config, combinations: Sequence[str]) -> Dict[str, Config]:
    """Returns the plain recipe and one for each combination, by name.

    Args:
        cfg: the recipe; left as it is.
        combinations: terms with `+` between; none for each default term that fits the recipe.

    Raises:
        UserError: if a term is unknown or does not fit.
    """
    fitting = DEFAULT_TERMS if 'cameras' in read_sensors(cfg) else DEFAULT_TERMS[:-1]
    recipes = {CLEAN: copy.deepcopy(cfg)}
    for combination in combinations or fitting:
        recipes[combination] = copy.deepcopy(cfg)
        augment_test_time(recipes[combination], combination.split(AND))
    return recipes


def run_gain(cfg: Config, combinations: Sequence[str], book: ScoreBook, score: Evaluate, cost: Cost, *,
             say: Callable[[str], None] = print, is_writer: bool = True) -> List[Dict[str, Any]]:
    """Runs what is not done yet; returns one row a combination, the plain evaluation first.

    Args:
        cfg: the recipe.
        combinations: see `augmented_recipes`.
        book: finished scores.
        score: runs one evaluation.
        cost: measures the seconds of one sample under each recipe.
        say: shows one line.
        is_writer: keep results; of several processes one does.
    """
    recipes = augmented_recipes(cfg, combinations)
    run_conditions([Condition(name, one) for name, one in recipes.items()], book, score, say=say,
                   is_writer=is_writer)
    if not is_writer:
        return []
    folder = Path(book.path).parent
    rows = gain_rows({name: book.scores[name] for name in recipes}, cost(recipes, folder / 'cost'))
    write_json(folder / JSON_FILE, rows, indent=2)
    say(gain_table(rows))
    return rows


def gain_rows(scores: Mapping[str, Scores], seconds: Mapping[str, float]) -> List[Dict[str, Any]]:
    """Returns the scores of each recipe, their gain over the plain one, and its cost.

    Args:
        scores: by name, the plain one among them.
        seconds: a sample takes.
    """
    return [dict(variants=name, **{metric: one[metric] for metric in METRICS},
                 **{f'{metric}_gain': one[metric] - scores[CLEAN][metric] for metric in METRICS},
                 seconds_per_sample=seconds[name], cost=seconds[name] / seconds[CLEAN])
            for name, one in scores.items()]


def gain_cells(row: Mapping[str, Any]) -> List[str]:
    """Returns one line of the table."""
    scores = [cell for metric in METRICS for cell in (
        number(row[metric]), number(row[f'{metric}_gain'], signed=True))]
    name = 'as it is' if row['variants'] == CLEAN else row['variants'].replace(AND, ' ')
    return [name, *scores, f'{row["seconds_per_sample"]:.2f} s', f'{row["cost"]:.1f} x']


def gain_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the table for the terminal."""
    return terminal_table(GAIN_HEADER, [gain_cells(row) for row in rows])
