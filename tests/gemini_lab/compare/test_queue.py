"""The queue runs what is not done, side by side, goes on after failures, and stops its processes."""
from pathlib import Path

import pytest

from gemini_lab.compare.queue import Queue
from gemini_lab.compare.runs import Run, Variant, adopt

SCORES = dict(all=dict(mAP=0.25, NDS=0.3))


class FakeProcess:
    """Ends well at the third look, unless it is one that fails."""

    def __init__(self, run, fails):
        self.run, self.fails, self.looks = run, fails, 0
        self.exitcode, self.is_terminated, self.is_joined = None, False, False

    def is_alive(self):
        self.looks += 1
        if self.looks == 3:
            self.exitcode = 1 if self.fails else 0
            if not self.fails:
                self.run.finish(dict(scores=SCORES))
        return self.exitcode is None

    def terminate(self):
        self.is_terminated = True

    def join(self):
        self.is_joined = True


@pytest.fixture
def runs(tmp_path: Path):
    """Four runs: two models, two seeds."""
    return [Run(Variant(Path(f'geminifusion3d_{name}_compare.py')), seed, tmp_path,
                dict(config=f'{name}-{seed}'))
            for seed in (0, 1) for name in ('lidar', 'cam')]


class Launcher:
    """Remembers what was launched where, and the most at once."""

    def __init__(self, fails=()):
        self.fails, self.launched, self.most = set(fails), [], 0

    def __call__(self, run, place):
        process = FakeProcess(run, run.name in self.fails)
        self.launched.append((run.name, place, process))
        self.most = max(self.most, sum(one.exitcode is None for *_, one in self.launched))
        return process


def work(runs, launcher, jobs=2):
    """Returns the failed runs and the lines."""
    lines = []
    failed = Queue(runs=runs, jobs=jobs, launch=launcher, say=lines.append, poll_s=0).work()
    return failed, lines


def test_every_run_is_made_once_two_at_a_time(runs):
    launcher = Launcher()
    failed, lines = work(runs, launcher)
    assert failed == [] and launcher.most == 2
    assert [name for name, *_ in launcher.launched] == [run.name for run in runs]
    assert {place for _, place, _ in launcher.launched} == {0, 1}
    assert all(run.result()['scores'] == SCORES for run in runs)
    assert lines[0] == '0 of 4 runs are done' and lines[-1].startswith('[4/4')
    assert 'min left' in lines[-1] and 'mAP 0.250' in lines[-1]


def test_a_result_that_was_kept_elsewhere_is_taken_over_if_it_is_of_this_recipe_and_data(runs):
    kept = [dict(scores=SCORES, identity=runs[0].identity),
            dict(scores=SCORES, identity=dict(config='other data'))]
    adopt(runs, kept)
    assert [run.result() is not None for run in runs] == [True, False, False, False]
    assert runs[0].result()['scores'] == SCORES


def test_a_done_run_is_not_made_again_but_one_of_another_recipe_is(runs):
    runs[0].finish(dict(scores=SCORES))
    changed = Run(runs[1].variant, runs[1].seed, runs[1].work_dir, dict(config='an older recipe'))
    changed.finish(dict(scores=SCORES))
    launcher = Launcher()
    work(runs, launcher)
    assert [name for name, *_ in launcher.launched] == [run.name for run in runs[1:]]


def test_a_failure_does_not_stop_the_others_and_is_tried_again_next_time(runs):
    failed, lines = work(runs, Launcher(fails=[runs[1].name]), jobs=1)
    assert failed == [runs[1]]
    assert any('FAILED (exit code 1)' in line for line in lines)
    again = Launcher()
    assert work(runs, again)[0] == []
    assert [name for name, *_ in again.launched] == [runs[1].name]


def test_an_interruption_stops_what_is_at_work(runs):
    launcher = Launcher()

    def say(line):
        if len(launcher.launched) > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Queue(runs=runs, jobs=2, launch=launcher, say=say, poll_s=0).work()
    at_work = [process for *_, process in launcher.launched if process.exitcode is None]
    assert all(process.is_terminated and process.is_joined for process in at_work)


def test_an_unfinished_run_keeps_its_files_and_one_of_another_recipe_loses_them(runs):
    run = runs[0]
    run.prepare()
    (run.folder / 'epoch_1.pth').touch()
    run.prepare()
    assert (run.folder / 'epoch_1.pth').exists() and not run.is_of_something_else()
    Run(run.variant, run.seed, run.work_dir, dict(config='new')).prepare()
    assert not (run.folder / 'epoch_1.pth').exists()
    _, said = work(runs, Launcher())
    assert said[1].endswith('changed since these were made, so they are made anew: lidar seed 0')
