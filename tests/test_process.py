"""Threads that wait sleep, a user without a name has a home, spconv starts soon; set before torch comes."""
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
import torch

from geminifusion3d.process import SPIN_COUNT, _WithoutKernels, ensure_home, limit_spinning

SAY = ('import sys, os\n{first}\nprint("torch" in sys.modules, os.environ.get("GOMP_SPINCOUNT"), '
       'os.environ.get("OMP_WAIT_POLICY"))')


def started(first: str, **variables: str) -> str:
    """Runs a program in a new process; returns whether torch was imported, and the two variables."""
    env = {key: value for key, value in os.environ.items()
           if key not in ('GOMP_SPINCOUNT', 'OMP_WAIT_POLICY')}
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


def test_a_user_without_name_and_home_gets_a_private_folder(
        monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv('HOME')
    monkeypatch.setattr(os.path, 'expanduser', lambda path: path)
    monkeypatch.setattr(tempfile, 'gettempdir', lambda: str(tmp_path))
    ensure_home()
    home = Path(os.environ['HOME'])
    assert home.parent == tmp_path and home.stat().st_mode & 0o777 == 0o700
    # One that others could have filled is not taken.
    home.chmod(0o777)
    ensure_home()
    assert os.environ['HOME'] != str(home) and Path(os.environ['HOME']).stat().st_mode & 0o777 == 0o700


def test_a_user_with_a_home_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/somewhere')
    ensure_home()
    assert os.environ['HOME'] == '/somewhere'


@pytest.mark.parametrize('has_gpu', [False, True])
@pytest.mark.parametrize('module', ['spconv.algo', 'spconv.core'])
def test_kernels_are_described_where_there_is_a_gpu(
        monkeypatch: pytest.MonkeyPatch, has_gpu: bool, module: str) -> None:
    core = ModuleType('spconv.core')
    core.ALL_NATIVE_PARAMS, core.ALL_IMPGEMM_PARAMS = [1], [2, 3]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, 'spconv.core', core)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: has_gpu)
    assert _WithoutKernels().find_spec(module) is None
    is_spared = module == 'spconv.algo' and not has_gpu
    assert (core.ALL_NATIVE_PARAMS, core.ALL_IMPGEMM_PARAMS) == (  # type: ignore[attr-defined]
        ([], []) if is_spared else ([1], [2, 3]))


def test_on_a_cpu_spconv_describes_none() -> None:
    say = 'import geminifusion3d, torch; from spconv import algo; print(len(algo.ALL_IMPGEMM_PARAMS))'
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', say], capture_output=True, text=True,
                          check=True)
    assert (int(done.stdout) > 0) == torch.cuda.is_available()
