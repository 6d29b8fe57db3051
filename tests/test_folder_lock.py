"""A folder has one writer; the lock goes with its holder."""
import os
import subprocess
import sys

import pytest

from geminifusion3d import atomic
from geminifusion3d.atomic import locked_folder
from geminifusion3d.errors import UserError

# Ends at once; its worker holds the lock for another second.
KILLED = """
import os, sys, time
from pathlib import Path
from geminifusion3d.atomic import locked_folder
with locked_folder(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(1)
    os._exit(9)
"""


def test_a_second_writer_is_told_and_the_next_one_may_write(tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, 'PATIENCE_S', 0.5)
    with locked_folder(tmp_path / 'out'):
        with pytest.raises(UserError, match='another command is writing to .*out; wait'):
            with locked_folder(tmp_path / 'out'):
                pass
    with locked_folder(tmp_path / 'out'):
        assert (tmp_path / 'out').is_dir()


def test_workers_of_a_killed_command_are_waited_for(tmp_path, monkeypatch):
    subprocess.run([sys.executable, '-c', KILLED, tmp_path], check=False,
                   env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)})
    with monkeypatch.context() as patched:
        patched.setattr(atomic, 'PATIENCE_S', 0.0)
        with pytest.raises(UserError, match='another command is writing'):
            with locked_folder(tmp_path):
                pass
    with locked_folder(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot create the folder .*file/out'):
        with locked_folder(tmp_path / 'file' / 'out'):
            pass
