"""The demo driver's own decisions; tests/test_end_to_end.py runs the chain."""
import json
import sys

import pytest

from gemini_lab import demo
from geminifusion3d.commands.main import parse
from geminifusion3d.errors import UserError


def test_fresh_removes_an_earlier_demo_and_nothing_else(tmp_path):
    letters, earlier = tmp_path / 'letters', tmp_path / 'demo'
    letters.mkdir()
    (letters / 'dear.txt').write_text('dear')
    with pytest.raises(UserError, match='no demo made'):
        demo.start_fresh(letters)
    assert (letters / 'dear.txt').exists()
    (earlier / 'steps').mkdir(parents=True)
    demo.start_fresh(earlier)
    assert not earlier.exists()
    demo.start_fresh(earlier)


def test_a_missing_config_is_told(tmp_path):
    args = parse('demo', '--config', str(tmp_path / 'none.py'))
    with pytest.raises(UserError, match='none.py does not exist'):
        demo.Chain(args)


def test_every_step_is_a_command_that_understands_its_arguments_and_depends_on_existing_sources():
    for step in demo.Chain(parse('demo')).steps():
        command = ' '.join(step.command).split(' -m geminifusion3d ')
        assert command[0] in (sys.executable, ' '.join(demo.TWO_PROCESSES[:-2]))
        parse(*command[1].split())
        assert [source for source in step.sources if not source.exists()] == []


@pytest.mark.parametrize('is_gpu, launcher, program', [
    (False, 'pytorch', 'geminifusion3d.commands.launch'), (True, 'none', 'geminifusion3d')])
def test_on_cpus_two_processes_train_and_on_a_gpu_one(monkeypatch, is_gpu, launcher, program):
    monkeypatch.setattr('geminifusion3d.engine.distributed.runs_on_gpu', lambda: is_gpu)
    steps = {step.name: step.command for step in demo.Chain(parse('demo')).steps()}
    assert steps['train'][:3] == (sys.executable, '-m', program)
    assert ('--nproc_per_node=2' in steps['train']) is not is_gpu
    assert f'--launcher {launcher} ' in ' '.join(steps['train'])
    assert all(command[:3] == demo.GEMINI3D for name, command in steps.items() if name != 'train')


def test_a_change_of_any_module_of_the_product_makes_every_step_run_again():
    assert all(demo.PACKAGE in step.sources for step in demo.Chain(parse('demo')).steps())


def test_a_line_of_the_log_says_how_far_a_training_or_a_test_is():
    line = ('11/26 21:00:00 - mmengine - INFO - Epoch(train)  [3][40/80]  lr: 1.0e-03  eta: 0:09:12  '
            'time: 0.5  data_time: 0.1  grad_norm: 3.1  loss: 7.1234  task0.loss_heatmap: 2.0')
    assert demo.logged_progress(line) == 'epoch 3, iteration 40 of 80, loss 7.12, 0:09:12 left'
    line = '11/26 21:00:00 - mmengine - INFO - Epoch(test)  [10/40]    eta: 1 day, 0:00:12  time: 0.4'
    assert demo.logged_progress(line) == 'iteration 10 of 40, 1 day, 0:00:12 left'
    assert demo.logged_progress('W1126 19:02:20 [torch/fx/_symbolic_trace.py:56] is_fx_tracing') == ''


def test_the_times_of_skipped_steps_are_kept(tmp_path, capsys):
    (tmp_path / 'metrics_summary.json').write_text(json.dumps({'mean_ap': 0.5, 'nd_score': 0.25}))
    demo.finish(tmp_path, {'generate': 10.0, 'train': 20.04})
    demo.finish(tmp_path, {'test': 3.0})
    times = json.loads((tmp_path / 'times.json').read_text())
    assert times == {'generate': 10.0, 'train': 20.0, 'test': 3.0}
    assert 'mAP 0.5000  NDS 0.2500' in capsys.readouterr().out
    assert (tmp_path / 'metrics.json').is_file()
