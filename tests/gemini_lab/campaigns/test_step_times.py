"""Two checkouts train in turns; what they took becomes medians, stage by stage."""
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
from torch import nn

from gemini_lab.campaigns import step_clock, step_times
from gemini_lab.campaigns.step_clock import WHOLE, StepClockHook
from geminifusion3d.errors import UserError


def steps(fuse_s, whole_s):
    """Returns two steps around a duration."""
    return [{'fuse': fuse_s + off, WHOLE: whole_s + off} for off in (-0.001, 0.001)]


def test_medians_and_ratios_stand_side_by_side():
    found = {0: dict(before=steps(0.1, 0.4), after=steps(0.05, 0.2)),
             1: dict(before=steps(0.1, 16.0), after=steps(0.1, 1.0))}
    lines = step_times.table(found).splitlines()
    heads = ('stage', 'quiet: before', 'after', 'times as fast', 'one busy neighbour: before', 'after',
             'times as fast')
    assert lines[0] == f'| {" | ".join(heads)} |'
    assert '| fuse | 100 ms | 50.0 ms | 2.00 | 100 ms | 100 ms | 1.00 |' in lines
    assert lines[-1] == '| **whole step** | 400 ms | 200 ms | 2.00 | 16.0 s | 1.00 s | 16.00 |'


def test_versions_take_turns_and_each_is_first_as_often(monkeypatch, tmp_path):
    trained = []
    monkeypatch.setattr(step_times, 'train', lambda checkout, folder, arguments: trained.append(checkout) or [
        {WHOLE: float(len(trained))}])
    arguments = step_times.parse(['--before', str(tmp_path), '--dataroot', 'data', '--rounds', '2'])
    found = step_times.in_turns(arguments, 1, tmp_path)
    assert trained == [tmp_path, step_times.HERE, step_times.HERE, tmp_path]
    assert [step[WHOLE] for step in found['before']] == [1, 4]


def test_a_training_that_fails_is_named(tmp_path):
    (tmp_path / 'tools').mkdir()
    (tmp_path / 'tools' / 'train.py').write_text(
        'import os; print(os.environ.get("GOMP_SPINCOUNT")); exit(3)')
    arguments = step_times.parse(['--before', str(tmp_path), '--dataroot', 'data'])
    # The variable that this process' import set is not handed on.
    with pytest.raises(UserError, match='ended with exit code 3, expected .*steps.json: None'):
        step_times.train(tmp_path, tmp_path, arguments)


def test_the_clock_runs_beside_any_version_of_the_package():
    # Of the version that it times, no module may be needed: they have moved.
    code = 'import sys; sys.modules["geminifusion3d"] = None; import gemini_lab.campaigns.step_clock'
    subprocess.run([sys.executable, '-c', code], check=True)


def test_the_hook_books_targets_apart_and_leaves_after_the_last_step(monkeypatch, tmp_path):
    left = []
    monkeypatch.setattr(step_clock.os, '_exit', left.append)
    head = nn.Module()
    head.get_targets = lambda: None
    head.loss = lambda: head.get_targets()
    model = nn.Module()
    model.bbox_head = head
    wrapper = SimpleNamespace(backward=lambda: None, step=lambda: None, zero_grad=lambda: None)
    hook = StepClockHook(out=str(tmp_path / 'steps.json'), warm_up=1, steps=2)
    hook.before_train(SimpleNamespace(model=model, optim_wrapper=wrapper))
    for step in range(3):
        assert not left
        hook.before_train_iter()
        head.loss()
        wrapper.backward()
        hook.after_train_iter()
    assert left == [0]
    found = json.loads((tmp_path / 'steps.json').read_text())
    assert len(found) == 2
    assert {'training targets', 'targets and losses', 'backward', WHOLE} <= set(found[0])
