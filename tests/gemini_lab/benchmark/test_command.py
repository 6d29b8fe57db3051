"""The command: options are checked first, rows are printed and written, the README's block is filled."""
import json
from types import ModuleType

import pytest
from commands import benchmark_arguments

from gemini_lab.benchmark import command
from gemini_lab.benchmark import rows as measure
from gemini_lab.benchmark.contest import Entrant, run_contest
from gemini_lab.benchmark.rows import Row
from geminifusion3d.commands.main import parse
from geminifusion3d.errors import UserError


@pytest.fixture
def toy(monkeypatch):
    """Makes `toy`, of two contestants, one of the things that are measured."""
    module = ModuleType('toy', 'Sums.')
    module.run = lambda args: run_contest([
        Entrant(name=name, call=lambda: sum(range(args.count)), shape=str(args.count), includes='the sum',
                macs=12345) for name in ('one', 'other')], args)
    add = (lambda parser: parser.add_argument('--count', type=int, default=10))
    monkeypatch.setitem(command.WHAT, 'toy', ('sums', add))
    monkeypatch.setattr(measure, 'module_of', lambda what: module)
    return module


def benchmark(words):
    """Runs the command."""
    return command.run(parse('benchmark', *words))


def test_everything_that_can_be_measured_has_a_module():
    for what in command.WHAT:
        module = measure.module_of(what)
        assert module.__doc__ and callable(module.run)


def test_rows_are_printed_written_and_put_into_the_readme(toy, tmp_path, capsys):
    readme, numbers = tmp_path / 'README.md', tmp_path / 'rows.json'
    readme.write_text('# Top\n<!-- benchmark-toy:start -->\nold\n<!-- benchmark-toy:end -->\nbottom\n')
    toy.charts = lambda rows: {'benchmark-toy.svg': f'<svg>{len(rows)}</svg>'}
    options = ['--repeats', '2', '--json', str(numbers), '--out', str(readme), '--device', 'cpu']
    assert benchmark(['toy', *options]) == 0
    rows = json.loads(numbers.read_text())
    assert [row['name'] for row in rows] == ['one', 'other'] and rows[0]['repeats'] == 2
    assert rows[0]['environment']['packages']['torch'] and rows[0]['environment']['cpu_threads'] >= 1
    text = readme.read_text()
    assert text.startswith('# Top') and text.endswith('bottom\n') and 'old' not in text
    assert '| one | inference | 10 |' in text and 'Measured 20' in text and 'no GPU was used' in text
    assert (tmp_path / 'benchmark-toy.svg').read_text() == '<svg>2</svg>'
    printed = capsys.readouterr().out
    assert 'one, other: includes the sum' in printed and '12.3 k' in printed


def test_rows_of_an_earlier_run_join_unless_they_are_of_another_machine(toy, tmp_path, capsys):
    first, both = tmp_path / 'first.json', tmp_path / 'both.json'
    benchmark(['toy', '--count', '3', '--repeats', '1', '--json', str(first), '--device', 'cpu'])
    benchmark(['toy', '--repeats', '1', '--json', str(both), '--join', str(first), '--device', 'cpu'])
    rows = json.loads(both.read_text())
    assert [row['shape'] for row in rows] == ['3', '3', '10', '10']
    elsewhere = json.loads(first.read_text())
    elsewhere[1]['environment']['cpu'] = '96 x Other'
    first.write_text(json.dumps(elsewhere))
    with pytest.raises(UserError, match='measured on .*96 x Other'):
        benchmark(['toy', '--join', str(first), '--device', 'cpu'])
    first.write_text('{}{')
    with pytest.raises(UserError, match='cannot read'):
        benchmark(['toy', '--join', str(first)])


def test_a_readme_without_the_block_is_refused_before_anything_is_measured(toy, tmp_path):
    readme = tmp_path / 'README.md'
    readme.write_text('nothing here')

    def run(args):
        pytest.fail('measured for nothing')

    toy.run = run
    with pytest.raises(UserError, match='benchmark-toy:start'):
        benchmark(['toy', '--out', str(readme)])
    with pytest.raises(UserError, match='does not exist'):
        benchmark(['toy', '--out', str(tmp_path / 'absent.md')])


@pytest.mark.parametrize('given, message', [
    (['--threads', '9999'], 'the cores here, got 9999'),
    (['--device', 'abacus'], "--device got 'abacus', expected cpu")])
def test_wrong_options_are_named(toy, given, message):
    with pytest.raises(UserError, match=message):
        benchmark_arguments(['toy', *given])


@pytest.mark.parametrize('given, message', [
    (['data', '--repeats', '0'], '--repeats: must be at least 1, got 0'),
    (['splat', '--warm-up', '-1'], '--warm-up: must be at least 0, got -1'),
    (['fusion', '--cells', '16', '0'], '--cells: must be at least 1, got 0'),
    (['splat', '--stride', '-8'], '--stride: must be at least 1, got -8')])
def test_numbers_that_are_too_small_are_named(given, message):
    with pytest.raises(UserError, match=message):
        parse('benchmark', *given)


def test_channels_that_the_heads_do_not_divide_are_named():
    with pytest.raises(UserError, match='--channels got 12; expected multiples of 8'):
        benchmark(['fusion', '--channels', '16', '12', '--cells', '4', '--device', 'cpu'])


def test_equal_words_are_said_once():
    rows = [Row(name=name, device='cpu', dtype='float32', shape='1', median_s=1, spread=0, includes=includes)
            for name, includes in (('a', 'x'), ('b', 'x'), ('a', 'x'), ('c', ''))]
    assert measure.words(rows) == ['a, b: includes x']


def test_fusers_are_measured_and_written(gemini3d, tmp_path):
    rows_file = tmp_path / 'rows.json'
    done = gemini3d('benchmark', 'fusion', '--device', 'cpu', '--cells', 64, '--channels', 16, '--repeats', 1,
                    '--only', 'Gemini', 'addition', '--modes', 'inference', '--json', rows_file)
    assert done.returncode == 0, done.stderr
    rows = json.loads(rows_file.read_text())
    assert [row['name'] for row in rows] == ['GeminiFusion', 'addition']
    assert rows[0]['shape'] == '64 x 16' and rows[0]['median_s'] > 0 and rows[0]['peak_bytes'] > 0
    assert 'GeminiFusion' in done.stdout and 'includes both directions' in done.stdout


def test_a_recipe_that_is_not_there_is_one_sentence(gemini3d):
    done = gemini3d('benchmark', 'model', 'configs/absent.py')
    assert done.returncode == 2 and done.stderr.count('\n') == 1
    assert 'configs/absent.py does not exist' in done.stderr
