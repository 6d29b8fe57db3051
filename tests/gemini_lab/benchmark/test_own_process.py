"""Work in another process: its seconds, its folder, its failures."""
import os
import time
from pathlib import Path

import pytest

from gemini_lab.benchmark.own_process import seconds_in_own_process
from geminifusion3d.errors import UserError


def test_the_seconds_are_those_of_the_work(tmp_path):
    assert 0.1 < seconds_in_own_process(lambda: time.sleep(0.1), tmp_path) < 5


def test_the_work_runs_in_its_folder_and_changes_nothing_here(tmp_path, capfd):
    here = os.getcwd()
    seconds_in_own_process(lambda: (Path('made').touch(), print('said')), tmp_path)
    assert (tmp_path / 'made').exists() and os.getcwd() == here
    assert capfd.readouterr().out == ''


def test_a_failure_is_told(tmp_path):
    with pytest.raises(UserError, match='a contestant failed.*ZeroDivisionError'):
        seconds_in_own_process(lambda: 1 / 0, tmp_path)


def test_a_process_that_dies_is_told(tmp_path):
    with pytest.raises(UserError, match='ended early'):
        seconds_in_own_process(lambda: os._exit(3), tmp_path)
