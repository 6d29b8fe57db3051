"""How a tool ends: exit codes and one line on stderr."""
import errno
import subprocess
import sys

import pytest
from tqdm import tqdm

from geminifusion3d.cli import PACKAGE, run_cli, warn_of_other_checkout
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.bev_grid import BEVGrid


@pytest.fixture(autouse=True)
def called_by_name(monkeypatch):
    """The tests run the package of their own checkout, wherever pytest is installed."""
    monkeypatch.setattr(sys, 'argv', ['gemini3d'])


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


def test_a_value_error_of_this_package_is_a_users_mistake_and_one_of_a_library_a_defect(capsys):
    assert exit_code(lambda: BEVGrid(range_m=(0, 0, 0, -1, 1, 1), cell_m=0.5)) == 2
    assert capsys.readouterr().err.startswith('error: ')
    with pytest.raises(ValueError, match='invalid literal'):
        run_cli(lambda: int('many'))


def test_a_full_disk_is_one_sentence_wherever_it_was_noticed(capsys):
    def save():
        try:
            raise OSError(errno.ENOSPC, 'No space left on device', 'epoch_1.pth.part')
        except OSError as error:
            raise RuntimeError('PytorchStreamWriter failed writing file') from error

    assert exit_code(save) == 2
    printed = capsys.readouterr().err
    assert printed.startswith('error: epoch_1.pth.part could not be written, the disk is full')
    assert printed.count('\n') == 1


def test_a_bar_ends_its_line_before_a_mistake_is_told(capsys):
    def work():
        with tqdm(total=2, desc='work') as bar:
            bar.update()
            raise UserError('wrong')

    assert exit_code(work) == 2
    assert capsys.readouterr().err.endswith('\nerror: wrong\n')


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


@pytest.mark.parametrize('tool', ['tools/test.py', 'tools/deep/convert.py'])
def test_a_tool_of_another_checkout_says_whose_code_runs(tool, tmp_path, capsys):
    beside = tmp_path / 'projects' / 'GeminiFusion3D' / 'geminifusion3d'
    beside.mkdir(parents=True)
    warn_of_other_checkout(tmp_path / tool)
    printed = capsys.readouterr().err
    assert str(PACKAGE) in printed and str(beside) in printed and f'`make setup` in {tmp_path}' in printed


def test_a_tool_beside_its_package_and_one_without_a_checkout_say_nothing(tmp_path, capsys):
    warn_of_other_checkout(PACKAGE.parents[2] / 'tools' / 'test.py')
    warn_of_other_checkout(tmp_path / 'tools' / 'test.py')
    assert capsys.readouterr().err == ''
