"""The chain of commands: what is skipped, what starts over, what continues."""
import json
import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from gemini_lab.jobs import Results, Step, identity, newest_progress, run_step, run_steps
from geminifusion3d.atomic import locked_folder
from geminifusion3d.errors import UserError

APPEND = 'import sys; open(sys.argv[1], "a").write(sys.argv[2])'


def make_step(folder: Path, name: str, text: str = 'x', **changes: object) -> Step:
    """A step that appends a text to a file, so that the file counts its runs."""
    source = folder / 'source.py'
    if not source.exists():
        source.write_text('one')
    out = folder / f'{name}.txt'
    facts = dict(name=name, command=(sys.executable, '-c', APPEND, str(out), text),
                 sources=(source,), outputs=(out,))
    return Step(**{**facts, **changes})


def test_a_finished_chain_is_not_run_again(tmp_path):
    steps = [make_step(tmp_path, 'first'), make_step(tmp_path, 'second')]
    seconds = run_steps(steps, tmp_path / 'state')
    assert run_steps(steps, tmp_path / 'state') == seconds
    assert (tmp_path / 'first.txt').read_text() == 'x'
    assert (tmp_path / 'second.txt').read_text() == 'x'


def test_one_chosen_step_counts_as_done_in_the_whole_chain(tmp_path):
    steps = [make_step(tmp_path, 'first'), make_step(tmp_path, 'second')]
    run_steps(steps, tmp_path / 'state', ['second'])
    assert not (tmp_path / 'first.txt').exists()
    run_steps(steps, tmp_path / 'state')
    assert (tmp_path / 'second.txt').read_text() == 'x'


def test_a_changed_source_runs_the_step_and_all_after_it_again(tmp_path):
    steps = [make_step(tmp_path, 'first'),
             make_step(tmp_path, 'second', sources=(tmp_path / 'other.py',))]
    (tmp_path / 'other.py').write_text('one')
    run_steps(steps, tmp_path / 'state')
    (tmp_path / 'other.py').write_text('two')
    run_steps(steps, tmp_path / 'state')
    assert (tmp_path / 'first.txt').read_text() == 'x'
    assert (tmp_path / 'second.txt').read_text() == 'xx'
    (tmp_path / 'source.py').write_text('two')
    run_steps(steps, tmp_path / 'state')
    assert (tmp_path / 'first.txt').read_text() == 'xx'
    assert (tmp_path / 'second.txt').read_text() == 'xxx'


def test_a_touched_or_missing_output_runs_the_step_again(tmp_path):
    step = make_step(tmp_path, 'first')
    run_step(step, tmp_path / 'state', '')
    (tmp_path / 'first.txt').write_text('edited')
    run_step(step, tmp_path / 'state', '')
    assert (tmp_path / 'first.txt').read_text() == 'editedx'
    os.remove(tmp_path / 'first.txt')
    run_step(step, tmp_path / 'state', '')
    assert (tmp_path / 'first.txt').read_text() == 'x'


def test_a_killed_step_continues_and_a_changed_one_starts_over(tmp_path):
    half = tmp_path / 'half'
    step = make_step(tmp_path, 'first', stale=(half,),
                     command=(sys.executable, '-c', 'import os; os.kill(os.getpid(), 9)'))
    with pytest.raises(UserError, match='ended with code -9'):
        run_step(step, tmp_path / 'state', '')
    half.mkdir()
    with pytest.raises(UserError):
        run_step(step, tmp_path / 'state', '')
    assert half.exists()
    with pytest.raises(UserError):
        run_step(step, tmp_path / 'state', 'another fingerprint upstream')
    assert not half.exists()


def test_time_adds_up_over_interrupted_attempts(tmp_path):
    step = make_step(tmp_path, 'first')
    run_step(step, tmp_path / 'state', '')
    state_path = tmp_path / 'state' / 'first.json'
    state = json.loads(state_path.read_text())
    del state['outputs']
    state_path.write_text(json.dumps(dict(state, seconds=1000.0)))
    assert run_step(step, tmp_path / 'state', '')[1] > 1000.0


def test_a_failing_command_shows_the_end_of_its_log(tmp_path):
    step = make_step(tmp_path, 'first', command=(sys.executable, '-c', 'raise SystemExit("no")'))
    with pytest.raises(UserError, match='(?s)step first ended with code 1.*  no'):
        run_step(step, tmp_path / 'state', '')


def test_warnings_do_not_hide_what_a_failing_command_said(tmp_path):
    code = 'import sys, warnings; print("why"); [warnings.warn(str(i)) for i in range(30)]; sys.exit(2)'
    step = make_step(tmp_path, 'first', command=(sys.executable, '-u', '-c', code))
    with pytest.raises(UserError, match='(?s)first.log:\n  why$'):
        run_steps([step], tmp_path / 'state')


def test_a_command_that_leaves_nothing_is_told(tmp_path):
    step = make_step(tmp_path, 'first', command=(sys.executable, '-c', ''))
    with pytest.raises(UserError, match='left no .*first.txt'):
        run_step(step, tmp_path / 'state', '')


def test_the_newest_line_of_a_progress_bar_is_read(tmp_path):
    log = tmp_path / 'log'
    log.write_bytes(b'start\n\r[>  ] 1/3\r[>> ] 2/3, ETA: 4s')
    assert newest_progress(log, str) == '[>> ] 2/3, ETA: 4s'
    log.write_bytes(b'')
    assert newest_progress(log, str) == 'starting'


def test_two_processes_do_not_work_on_one_chain(tmp_path):
    with locked_folder(tmp_path), pytest.raises(UserError, match='another process'):
        run_steps([], tmp_path)


def run_long_step(out: Path) -> None:
    """Runs a chain whose one command writes its process id and sleeps."""
    code = 'import os, sys, time; open(sys.argv[1], "w").write(str(os.getpid())); time.sleep(300)'
    run_steps([Step('long', (sys.executable, '-c', code, str(out)), (), (out,))], out.parent)


def test_a_killed_chain_leaves_no_command_behind(tmp_path):
    out = tmp_path / 'pid'
    chain = multiprocessing.get_context('fork').Process(target=run_long_step, args=(out,))
    chain.start()
    deadline = time.monotonic() + 60
    while not (out.exists() and out.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    chain.kill()
    chain.join()
    command = Path('/proc') / out.read_text()
    while command.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not command.exists()


def test_an_identity_follows_content_files_and_code(tmp_path):
    code, data = tmp_path / 'code', tmp_path / 'data.pkl'
    code.mkdir()
    (code / 'a.py').write_text('1')
    data.write_bytes(b'1')

    def now(lr=0.1):
        return identity(config={'lr': lr, 'path': Path('x')}, data=data, code=[code])

    before = now()
    assert now() == before
    assert [name for name, value in now(0.2).items() if value != before[name]] == ['config']
    (code / 'a.py').write_text('2')
    assert [name for name, value in now().items() if value != before[name]] == ['code']
    with pytest.raises(UserError, match='nowhere.pkl does not exist'):
        identity(data=tmp_path / 'nowhere.pkl')


def test_parts_of_a_result_are_made_once_and_belong_to_one_identity(tmp_path):
    path, calls = tmp_path / 'results.json', []

    def work():
        calls.append(1)
        return len(calls)

    first = Results(path, {'config': 'a', 'data': 'b'})
    assert first.is_fresh and first.once('clean', work) == 1
    again = Results(path, {'config': 'a', 'data': 'b'})
    assert not again.is_fresh and again.once('clean', work) == 1 and again.once('fog', work) == 2
    with pytest.raises(UserError, match='of another config; pass another --work-dir'):
        Results(path, {'config': 'c', 'data': 'b'})
    restarted = Results(path, {'config': 'c', 'data': 'b'}, restart=True)
    assert restarted.is_fresh and restarted.parts == {}


def test_a_damaged_file_of_results_is_named(tmp_path):
    (tmp_path / 'results.json').write_text('{"identity"')
    with pytest.raises(UserError, match='results.json holds no results of a long run'):
        Results(tmp_path / 'results.json', {})
