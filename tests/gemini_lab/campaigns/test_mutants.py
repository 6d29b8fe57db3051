"""Mistakes are where they should be, and a test that looks notices them."""
import ast
import runpy
import sys

import pytest

from gemini_lab.campaigns import mutants
from gemini_lab.campaigns.mutants import NOTICED, SURVIVED, UNTESTED, mutants_of

SOURCE = '''"""Adds 1 - 2."""
def f(a: int, b: 'x < 3' = 4) -> int:
    if a <= b or not a:
        raise ValueError(f'{a - 1} is 5')
    return g(a, b, scale=b, other=6) @ (a[1], -2.5)
'''


def test_each_kind_of_mistake_is_made_and_annotations_and_messages_stay():
    found = [(one.kind, one.before, one.after) for one in mutants_of('a.py', SOURCE)]
    assert set(found) == {
        ('constant', '4', '5'), ('operation', '<=', '<'), ('operation', 'or', 'and'), ('sign', 'not ', ''),
        ('order', 'a, b', 'b, a'), ('not handed on', 'scale=b, ', ''), ('constant', '6', '7'),
        ('operation', '@', '+'), ('constant', '1', '2'), ('constant', '2.5', '5.0'), ('sign', '-', '')}
    assert len(found) == len(set(found))


def test_every_mistake_is_python_with_umlauts_before_it():
    for one in mutants_of('a.py', f'x = "ü"; y = "ä", 1 + 2\n{SOURCE}'):
        source = f'x = "ü"; y = "ä", 1 + 2\n{SOURCE}'
        assert source[one.start:one.start + len(one.before)] == one.before
        ast.parse(source[:one.start] + one.after + source[one.start + len(one.before):])


@pytest.mark.parametrize('sound, spoilt, expected', [
    (0, 1, NOTICED), (0, 0, SURVIVED), (1, 0, UNTESTED)])
def test_a_mistake_is_put_in_judged_and_taken_out(tmp_path, monkeypatch, sound, spoilt, expected):
    path = tmp_path / 'a.py'
    path.write_text('x = 1\n')
    monkeypatch.setattr(mutants, 'REPO', tmp_path)
    monkeypatch.setattr(mutants, 'tests_of', lambda path: [['tests/test_a.py']])
    monkeypatch.setattr(mutants.subprocess, 'run', lambda *args, **kwargs: type('Done', (), {'stdout': b''}))
    monkeypatch.setattr(mutants, 'run_tests',
                        lambda tests, folder, timeout_s: sound if path.read_text() == 'x = 1\n' else spoilt)
    one, = mutants_of('a.py', 'x = 1\n')
    assert mutants.Checkout(tmp_path).noticed(one) == expected and path.read_text() == 'x = 1\n'


def test_a_module_is_tested_by_its_mirror_first():
    first, folder, others = mutants.tests_of('projects/GeminiFusion3D/geminifusion3d/geometry/boxes.py')
    assert first == ['tests/geometry/test_boxes.py'] and folder[0] == 'tests/geometry'
    assert others and not any(name.startswith('tests/geometry/') for name in others)


def test_no_mistake_is_no_campaign(monkeypatch, capsys):
    monkeypatch.setattr(sys, 'argv', ['mutants', '--n', '0'])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_module('gemini_lab.campaigns.mutants', run_name='__main__', alter_sys=True)
    assert 'must be at least 1, got 0' in capsys.readouterr().err
