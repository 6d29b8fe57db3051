"""A contest: everybody runs equally often, in changing order; medians and quartiles are of the timings."""
from argparse import Namespace
from itertools import count

import pytest
import torch

from gemini_lab.benchmark import contest
from gemini_lab.benchmark.contest import Entrant, quartile_spread, run_contest

ARGUMENTS = Namespace(device=torch.device('cpu'), repeats=4, warm_up=1, quiet=True)


def test_entrants_take_turns_and_nobody_always_follows_the_same_one():
    order = []
    entrants = [Entrant(name=name, call=lambda name=name: order.append(name), shape='1', measure_memory=False,
                        prepare=lambda: None) for name in 'abc']
    rows = run_contest(entrants, ARGUMENTS)
    assert [row.name for row in rows] == ['a', 'b', 'c'] and all(row.repeats == 4 for row in rows)
    # One warm-up each, then four turns of three.
    assert order[:3] == ['a', 'b', 'c']
    turns = [''.join(order[i:i + 3]) for i in range(3, 15, 3)]
    assert [sorted(turn) for turn in turns] == [['a', 'b', 'c']] * 4
    assert len(set(turns)) > 2


def test_the_median_and_the_quartiles_of_known_timings(monkeypatch):
    # A clock that advances 1, 2, 3, ... seconds from one look to the next.
    ticks, now = count(1), [0.0]

    def clock():
        now[0] += next(ticks)
        return now[0]

    monkeypatch.setattr(contest.time, 'perf_counter', clock)
    row, = run_contest([Entrant(name='a', call=lambda: None, shape='1', prepare=lambda: None,
                                measure_memory=False)], ARGUMENTS)
    # The four timings are the steps 2, 4, 6, 8: median 5, quartiles 3.5 and 6.5.
    assert row.median_s == 5 and row.spread == 3


def test_a_timing_begins_in_the_wake_of_a_call_of_its_own(monkeypatch):
    seen = []
    entrants = [Entrant(name=name, call=lambda name=name: seen.append(name), shape='1', measure_memory=False)
                for name in 'ab']
    monkeypatch.setattr(contest, 'SHORTEST_TIMING_S', 0.0)
    monkeypatch.setattr(contest.time, 'perf_counter', lambda: seen.append('clock') or float(len(seen)))
    run_contest(entrants, ARGUMENTS)
    # Two to warm up and to find the number of calls, then four turns of two: a call, and one between looks.
    found = [seen[1:5], seen[6:10], *(seen[first:first + 4] for first in range(10, len(seen), 4))]
    assert seen[0] == 'a' and seen[5] == 'b' and len(found) == 10
    assert found == [[name, 'clock', name, 'clock'] for name, *_ in found]


def test_a_short_call_is_repeated_within_a_timing():
    calls = []
    row, = run_contest([Entrant(name='a', call=lambda: calls.append(1), shape='1', measure_memory=False)],
                       ARGUMENTS)
    assert len(calls) > 1000 and row.median_s < 1e-4


def test_memory_is_that_of_one_call_and_facts_pass_through():
    x = torch.ones(1000)
    row, = run_contest([Entrant(name='a', call=lambda: x + x, shape='1000', macs=7, mode='training step',
                                facts=dict(cells=3))], ARGUMENTS)
    assert (row.peak_bytes, row.macs, row.mode, row.facts['cells']) == (4000, 7, 'training step', 3)


@pytest.mark.parametrize('values, expected', [([5.0], 0), ([1, 2, 3, 4, 5], 2), ([1, 1, 1, 9], 2)])
def test_the_spread_is_the_distance_of_the_quartiles(values, expected):
    assert quartile_spread(values) == expected
