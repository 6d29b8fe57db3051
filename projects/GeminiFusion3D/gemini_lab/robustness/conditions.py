"""Scores of one model under many conditions: each is evaluated once and kept, an interrupted run goes on."""
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Sequence

from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError

CLEAN = 'clean'
METRICS = ('mAP', 'NDS')

Scores = Dict[str, float]
# (recipe under a condition, folder for its files) -> mAP and NDS.
Evaluate = Callable[[Config, Path], Scores]


@dataclass(frozen=True)
class Condition:
    """One evaluation.

    Attributes:
        name: unique, fit for a folder.
        cfg: the recipe under this condition.
        same_as: name of an earlier condition whose scores these are, since the recipe does not read what
            differs; empty if it has to be evaluated.
    """

    name: str
    cfg: Config
    same_as: str = ''


class ScoreBook:
    """A JSON file of finished scores that belong to one recipe, checkpoint and dataset.

    Args:
        path: the file; written anew after every condition, whole or not at all.
        identity: what the scores depend on, by name (see `identity`).
        restart: forget scores of another identity instead of refusing to mix them.

    Raises:
        UserError: if the file holds scores of something else.
    """

    def __init__(self, *, path: Path, identity: Dict[str, str], restart: bool = False) -> None:
        self.path = path
        self.identity = dict(identity)
        self.scores: Dict[str, Scores] = {}
        kept = _read(path)
        differing = [name for name, digest in self.identity.items()
                     if kept and kept.get('identity', {}).get(name) != digest]
        if differing and not restart:
            raise UserError(f'{path} holds scores of another {" and ".join(differing)}; pass another '
                            '--work-dir, or --restart to forget them')
        if kept and not differing:
            self.scores = kept['scores']

    def keep(self, name: str, scores: Scores) -> None:
        """Adds the scores of a condition and writes the file."""
        self.scores = {**self.scores, name: scores}
        write_json(self.path, dict(identity=self.identity, scores=self.scores), indent=2)


def run_conditions(conditions: Sequence[Condition], book: ScoreBook, evaluate: Evaluate, *,
                   say: Callable[[str], None] = print, is_writer: bool = True) -> None:
    """Evaluates what the book does not hold yet, in the given order.

    Args:
        conditions: what to evaluate.
        book: what is done; gets each result as soon as it is there.
        evaluate: runs one.
        say: shows one line.
        is_writer: keep results and speak; of several processes one does.
    """
    waiting: List[Condition] = [one for one in conditions if one.name not in book.scores]
    done, seconds = len(conditions) - len(waiting), []
    if done and is_writer:
        say(f'{done} of {len(conditions)} evaluations are done')
    for number, condition in enumerate(waiting):
        start_s = time.monotonic()
        if condition.same_as:
            scores = book.scores[condition.same_as]
        else:
            scores = evaluate(condition.cfg, book.path.parent / condition.name)
            seconds.append(time.monotonic() - start_s)
        if not is_writer:
            book.scores[condition.name] = scores
            continue
        book.keep(condition.name, scores)
        still = sum(not one.same_as for one in waiting[number + 1:])
        say(f'[{done + number + 1}/{len(conditions)}{_time_left(seconds, still)}] {condition.name}: '
            + ' '.join(f'{metric} {scores[metric]:.4f}' for metric in METRICS))


def _time_left(seconds: List[float], still: int) -> str:
    if not seconds or not still:
        return ''
    return f', about {still * sum(seconds) / len(seconds) / 60:.0f} min left'


def _read(path: Path) -> Dict:
    """Returns the file's content; nothing where there is none."""
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text())
        is_sound = isinstance(content['scores'], dict) and isinstance(content['identity'], dict)
    except (OSError, ValueError, KeyError, TypeError):
        is_sound = False
    if not is_sound:
        raise UserError(f'{path} is no file of scores; move it away or pass another --work-dir')
    return content
