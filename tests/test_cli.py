"""How a tool ends: exit codes and one line on stderr."""
import subprocess
import sys

import pytest

from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError


def exit_code(main):
    """Runs a tool's main function and returns its exit code."""
    with pytest.raises(SystemExit) as ended:
        run_cli(main)
    return ended.value.code


def raiser(error):
    """Returns a main function that raises."""
    def main():
        raise error
    return main


@pytest.mark.parametrize('returned, expected', [(None, 0), (0, 0), (1, 1)])
def test_the_exit_code_is_what_main_returns(returned, expected):
    assert exit_code(lambda: returned) == expected


def test_a_users_mistake_is_one_line_and_exit_code_2(capsys):
    assert exit_code(raiser(UserError('got 3, expected 4'))) == 2
    captured = capsys.readouterr()
    assert captured.err == 'error: got 3, expected 4\n'
    assert captured.out == ''


def test_ctrl_c_is_exit_code_130(capsys):
    assert exit_code(raiser(KeyboardInterrupt())) == 130
    assert 'Traceback' not in capsys.readouterr().err


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_cli(lambda: 1 // 0)


AT_ONCE = '''
import atexit, sys
from geminifusion3d.cli import run_cli, skip_finalisation

class Finalised:
    def __del__(self):
        print('finalised')

kept = Finalised()
atexit.register(print, 'exit handler')
if 'skip' in sys.argv:
    skip_finalisation()
print('done', end=' ')
run_cli(lambda: 3)
'''


@pytest.mark.parametrize('arguments, expected', [
    ([], 'done exit handler\nfinalised\n'), (['skip'], 'done exit handler\n')])
def test_finalisation_is_skipped_on_request_but_no_output_is_lost(arguments, expected):
    ended = subprocess.run([sys.executable, '-c', AT_ONCE, *arguments], text=True, capture_output=True)
    assert (ended.returncode, ended.stdout) == (3, expected)
