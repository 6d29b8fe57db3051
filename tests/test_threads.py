"""Waiting threads sleep: set before torch is imported, by whatever starts, unless the user has chosen."""
import os
import subprocess
import sys

import pytest

from geminifusion3d.threads import SPIN_COUNT, limit_spinning

SAY = ('import sys, os\n{first}\nprint("torch" in sys.modules, os.environ.get("GOMP_SPINCOUNT"), '
       'os.environ.get("OMP_WAIT_POLICY"))')


def started(first: str, **variables: str) -> str:
    """Runs a program in a new process; returns whether torch was imported, and the two variables."""
    env = {key: value for key, value in os.environ.items() if key not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')}
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', SAY.format(first=first)],
                          env={**env, **variables}, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_is_set_before_torch_is_imported() -> None:
    assert started('import geminifusion3d') == f'False {SPIN_COUNT} None'


@pytest.mark.parametrize('chosen, left', [
    (dict(GOMP_SPINCOUNT='7'), '7 None'), (dict(OMP_WAIT_POLICY='active'), 'None active')])
def test_the_users_choice_stands(chosen: dict, left: str) -> None:
    assert started('import geminifusion3d', **chosen) == f'False {left}'


def test_a_second_call_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('OMP_WAIT_POLICY', raising=False)
    monkeypatch.setenv('GOMP_SPINCOUNT', '5')
    limit_spinning()
    assert os.environ['GOMP_SPINCOUNT'] == '5'
