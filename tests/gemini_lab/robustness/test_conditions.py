"""Finished evaluations are kept and not run again; scores of something else are never mixed in."""
import json
from pathlib import Path

import pytest

from geminifusion3d.errors import UserError
from gemini_lab.robustness.conditions import Condition, ScoreBook, run_conditions

IDENTITY = dict(config='a', checkpoint='b')
CONDITIONS = [Condition('clean', 'cfg'), Condition('fog-1', 'foggy'),
              Condition('dark-1', 'dark', same_as='clean')]


class Evaluator:
    """Counts calls, gives 0.5, 0.25, ... and is killed at the call that it is told."""

    def __init__(self, killed_at: int = 99) -> None:
        self.calls, self.killed_at = [], killed_at

    def __call__(self, cfg: str, folder: Path) -> dict:
        self.calls.append((cfg, folder.name))
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        return dict(mAP=0.5 ** len(self.calls), NDS=0.6)


def book(folder: Path, restart: bool = False, **changed: str) -> ScoreBook:
    return ScoreBook(path=folder / 'scores.json', identity={**IDENTITY, **changed}, restart=restart)


def test_every_condition_is_evaluated_once_and_what_is_not_read_not_at_all(tmp_path):
    evaluator, lines = Evaluator(), []
    done = book(tmp_path)
    run_conditions(CONDITIONS, done, evaluator, say=lines.append)
    assert evaluator.calls == [('cfg', 'clean'), ('foggy', 'fog-1')]
    assert done.scores['dark-1'] == done.scores['clean'] == dict(mAP=0.5, NDS=0.6)
    assert lines[0].startswith('[1/3, about 0 min left] clean: mAP 0.5000 NDS 0.6000')
    assert lines[2].startswith('[3/3] dark-1: mAP 0.5000')


def test_an_interrupted_run_goes_on_after_the_last_finished_evaluation(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_conditions(CONDITIONS, book(tmp_path), Evaluator(killed_at=2), say=str)
    assert list(json.loads((tmp_path / 'scores.json').read_text())['scores']) == ['clean']
    evaluator, lines = Evaluator(), []
    run_conditions(CONDITIONS, book(tmp_path), evaluator, say=lines.append)
    assert evaluator.calls == [('foggy', 'fog-1')]
    assert lines[0] == '1 of 3 evaluations are done'
    again = Evaluator()
    run_conditions(CONDITIONS, book(tmp_path), again, say=str)
    assert again.calls == []


def test_scores_of_another_checkpoint_are_refused_and_forgotten_on_request(tmp_path):
    run_conditions(CONDITIONS, book(tmp_path), Evaluator(), say=str)
    with pytest.raises(UserError, match='of another checkpoint; pass another --work-dir, or --restart'):
        book(tmp_path, checkpoint='other')
    restarted = book(tmp_path, restart=True, checkpoint='other')
    assert restarted.scores == {}
    # With --restart a run of the same things goes on all the same.
    assert len(book(tmp_path, restart=True).scores) == 3


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / 'scores.json').write_text('{"identity"')
    with pytest.raises(UserError, match='scores.json is no file of scores'):
        book(tmp_path)


def test_of_several_processes_one_writes_and_speaks(tmp_path):
    lines, silent = [], book(tmp_path)
    run_conditions(CONDITIONS, silent, Evaluator(), say=lines.append, is_writer=False)
    assert lines == [] and not (tmp_path / 'scores.json').exists() and len(silent.scores) == 3
