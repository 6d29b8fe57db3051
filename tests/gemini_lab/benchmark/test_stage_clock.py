"""Stages inside stages: each has the time that it spent itself, and functions are given back afterwards."""
import pytest
import torch

from gemini_lab.benchmark import stage_clock
from gemini_lab.benchmark.stage_clock import StageClock


class Work:
    """Takes known times on a clock of its own."""

    now_s = 0.0

    def outer(self):
        """Two seconds of its own around three of `inner`."""
        Work.now_s += 1
        self.inner()
        Work.now_s += 1
        return 'done'

    def inner(self):
        """Three seconds."""
        Work.now_s += 3


@pytest.fixture
def work(monkeypatch):
    """Returns the work with the clock set to its time."""
    Work.now_s = 0.0
    monkeypatch.setattr(stage_clock.time, 'perf_counter', lambda: Work.now_s)
    return Work()


def test_a_stage_has_the_time_that_stages_inside_it_did_not_take(work):
    watched = [(work, 'outer', 'out'), (work, 'inner', 'in')]
    with StageClock(device=torch.device('cpu'), watched=watched, outermost='rest') as clock:
        Work.now_s += 5
        assert work.outer() == 'done'
        work.inner()
    assert clock.seconds == {'rest': 5, 'out': 2, 'in': 6}
    assert 'outer' not in vars(work), 'the method was not given back'


def test_an_error_leaves_the_clock_and_the_functions_in_order(work, monkeypatch):
    def fail(self):
        Work.now_s += 1
        raise RuntimeError('broken')

    monkeypatch.setattr(Work, 'inner', fail)
    clock = StageClock(device=torch.device('cpu'), watched=[(work, 'outer', 'out'), (work, 'inner', 'in')],
                       outermost='rest')
    with pytest.raises(RuntimeError, match='broken'), clock:
        work.outer()
    assert clock.seconds == {'rest': 0, 'out': 1, 'in': 1}
    with pytest.raises(RuntimeError), clock:
        work.inner()
    assert clock.seconds == {'rest': 0, 'in': 1}, 'a new run starts from nothing'
