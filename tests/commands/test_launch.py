"""Several processes end as one: with the sentence and the exit code of the one that failed."""
import socket
from pathlib import Path

import pytest

from geminifusion3d.commands.launch import launch
from geminifusion3d.errors import UserError


def launch_two(folder: Path, program: str, *, port: int = 0) -> int:
    """Runs a program in two processes; port 0 stands for any free one."""
    script = folder / 'program.py'
    script.write_text('import os, sys, time\nrank = int(os.environ["RANK"])\n' + program)
    if port == 0:
        with socket.socket() as probe:
            probe.bind(('127.0.0.1', 0))
            port = probe.getsockname()[1]
    return launch(['--nproc_per_node=2', '--master_addr=127.0.0.1', f'--master_port={port}',
                   str(script)])


def test_success_is_zero(tmp_path: Path) -> None:
    assert launch_two(tmp_path, 'assert os.environ["WORLD_SIZE"] == "2"') == 0


def test_a_mistake_is_told_by_one_process_without_a_traceback(
        tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    program = 'time.sleep(30 * rank)\nprint("error: wrong", file=sys.stderr)\nsys.exit(2)\n'
    assert launch_two(tmp_path, program) == 2
    printed = capfd.readouterr().err
    assert printed.count('error:') == 1
    assert 'Traceback' not in printed


def test_a_killed_process_is_named(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    program = 'os.kill(os.getpid(), 9) if rank == 1 else time.sleep(30)\n'
    assert launch_two(tmp_path, program) == 1
    assert 'process 1 ended with exit code -9' in capfd.readouterr().err


def test_a_busy_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(('127.0.0.1', 0))
        busy.listen()
        with pytest.raises(UserError, match='set PORT to a free port'):
            launch_two(tmp_path, '', port=busy.getsockname()[1])
