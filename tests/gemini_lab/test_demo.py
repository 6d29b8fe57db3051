"""The demo driver's own decisions; tests/test_end_to_end.py runs the chain."""
import importlib.util
import json
import sys
from pathlib import Path

import pytest

from geminifusion3d.errors import UserError

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def demo():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('demo', REPO / 'tools' / 'demo.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_fresh_removes_an_earlier_demo_and_nothing_else(demo, tmp_path):
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


def test_a_key_is_found_wherever_it_stands_in_a_config(demo):
    cfg = {'data_root': 'a', 'loader': {'dataset': {'data_root': 'b'}},
           'evaluators': [{'x': 1}, {'data_root': 'c'}]}
    assert list(demo.find_keys(cfg, 'data_root')) == [
        'data_root', 'loader.dataset.data_root', 'evaluators.1.data_root']


def test_a_missing_config_is_told(demo, tmp_path):
    args = demo.parse_args(['--config', str(tmp_path / 'none.py')])
    with pytest.raises(UserError, match='none.py does not exist'):
        demo.Chain(args)


def test_every_step_calls_an_existing_tool_and_depends_on_existing_sources(demo):
    for step in demo.Chain(demo.parse_args([])).steps():
        assert Path(step.command[0]).is_file() and Path(step.command[0]) == Path(sys.executable)
        assert (REPO / 'tools' / Path(step.command[1]).name).is_file()
        assert [source for source in step.sources if not source.exists()] == []


def test_the_times_of_skipped_steps_are_kept(demo, tmp_path, capsys):
    (tmp_path / 'metrics_summary.json').write_text(json.dumps({'mean_ap': 0.5, 'nd_score': 0.25}))
    demo.finish(tmp_path, {'generate': 10.0, 'train': 20.04})
    demo.finish(tmp_path, {'test': 3.0})
    times = json.loads((tmp_path / 'times.json').read_text())
    assert times == {'generate': 10.0, 'train': 20.0, 'test': 3.0}
    assert 'mAP 0.5000  NDS 0.2500' in capsys.readouterr().out
    assert (tmp_path / 'metrics.json').is_file()
