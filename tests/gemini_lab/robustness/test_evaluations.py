"""Finished evaluations are kept and not run again; scores of something else are never mixed in."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from gemini_lab.jobs import Results
from gemini_lab.robustness import evaluations
from gemini_lab.robustness.evaluations import Condition, open_scores, run_conditions

CONDITIONS = [Condition('clean', 'cfg'), Condition('fog-1', 'foggy'),
              Condition('dark-1', 'dark', same_as='clean')]


class Evaluator:
    """Counts calls, gives 0.5, 0.25, ... and is killed at the call that it is given."""

    def __init__(self, killed_at: int = 99) -> None:
        self.calls, self.killed_at = [], killed_at

    def __call__(self, cfg: str, folder: Path) -> dict:
        self.calls.append((cfg, folder.name))
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        return dict(mAP=0.5 ** len(self.calls), NDS=0.6)


def book(folder: Path) -> Results:
    return Results(folder / 'scores.json', {})


def test_every_condition_is_evaluated_once_and_what_is_not_read_not_at_all(tmp_path):
    evaluator, lines = Evaluator(), []
    done = book(tmp_path)
    run_conditions(CONDITIONS, done, evaluator, say=lines.append)
    assert evaluator.calls == [('cfg', 'clean'), ('foggy', 'fog-1')]
    assert done.parts['dark-1'] == done.parts['clean'] == dict(mAP=0.5, NDS=0.6)
    assert lines[0].startswith('[1/3, about 0 min left] clean: mAP 0.5000 NDS 0.6000')
    assert lines[2].startswith('[3/3] dark-1: mAP 0.5000')


def test_an_interrupted_run_goes_on_after_the_last_finished_evaluation(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run_conditions(CONDITIONS, book(tmp_path), Evaluator(killed_at=2), say=str)
    assert list(json.loads((tmp_path / 'scores.json').read_text())['parts']) == ['clean']
    evaluator, lines = Evaluator(), []
    run_conditions(CONDITIONS, book(tmp_path), evaluator, say=lines.append)
    assert evaluator.calls == [('foggy', 'fog-1')]
    assert lines[0] == '1 of 3 evaluations are done'
    again = Evaluator()
    run_conditions(CONDITIONS, book(tmp_path), again, say=str)
    assert again.calls == []


def recipe(folder: Path, **changed: object) -> Config:
    """Returns a recipe whose files lie in a folder."""
    dataset = dict(data_root=str(folder), ann_file='infos.pkl')
    return Config({**dict(test_dataloader=dict(dataset=dataset), model=dict(width=1),
                          load_from=str(folder / 'model.pth')), **changed})


def test_scores_follow_recipe_files_and_code_and_nothing_else(tmp_path, monkeypatch):
    code = tmp_path / 'code'
    code.mkdir()
    (code / 'fog.py').write_text('1')
    monkeypatch.setattr(evaluations, 'PACKAGE', code)
    for name in ('infos.pkl', 'model.pth'):
        (tmp_path / name).write_text('1')
    before = open_scores(recipe(tmp_path), tmp_path).identity
    assert open_scores(recipe(tmp_path, work_dir='elsewhere', launcher='slurm'), tmp_path).identity == before

    def differing(cfg: Config) -> list:
        now = open_scores(cfg, tmp_path, restart=True).identity
        return [name for name in before if before[name] != now[name]]

    assert differing(recipe(tmp_path, model=dict(width=2))) == ['config']
    (tmp_path / 'model.pth').write_text('2')
    (code / 'fog.py').write_text('2')
    assert differing(recipe(tmp_path)) == ['checkpoint', 'code']


def test_scores_of_a_corruption_belong_to_the_code_that_makes_it():
    folder = Path(evaluations.__file__).parents[1] / 'corruptions'
    assert (folder / 'catalogue.py').is_file()


def test_of_several_processes_one_writes_and_speaks(tmp_path):
    lines, silent = [], book(tmp_path)
    run_conditions(CONDITIONS, silent, Evaluator(), say=lines.append, is_writer=False)
    assert lines == [] and not (tmp_path / 'scores.json').exists() and len(silent.parts) == 3
