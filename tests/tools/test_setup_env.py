"""The set-up's decisions, without installing anything: stamps, cache keys, clear refusals."""
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / 'tools' / 'setup_env.py'
FAKE_PIP = """#!/bin/sh
echo '  [1/2] c++ a.cpp'
case "$*" in *broken*) echo 'a.cpp:1: error: boom'; exit 1;; esac
while [ $# -gt 0 ]; do [ "$1" = -w ] && out=$2; shift; done
touch "$out/mmcv-2.1.0-cp311-cp311-linux_x86_64.whl"
"""


@pytest.fixture
def setup_env():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('setup_env', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake_python(tmp_path):
    """A program that stands for `python -m pip wheel` and compiles nothing."""
    path = tmp_path / 'python'
    path.write_text(FAKE_PIP)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_an_unchanged_environment_is_up_to_date(setup_env, tmp_path):
    assert not setup_env.is_up_to_date(tmp_path)
    stamp = tmp_path / setup_env.STAMP_NAME
    stamp.write_text(json.dumps(setup_env.wanted_stamp()))
    assert setup_env.is_up_to_date(tmp_path)
    stamp.write_text('{"half')
    assert not setup_env.is_up_to_date(tmp_path)


def test_an_environment_of_another_python_is_named(setup_env, tmp_path, capsys):
    for version, is_other in ((setup_env.PYTHON, False), ('3.9', True)):
        (tmp_path / 'pyvenv.cfg').write_text(f'home = /usr/bin\nversion = {version}.1\n')
        setup_env.say_other_python(tmp_path)
        assert ('has Python 3.9' in capsys.readouterr().out) == is_other
    setup_env.say_other_python(tmp_path / 'none')
    assert capsys.readouterr().out == ''


def test_a_package_of_the_environment_is_seen(setup_env):
    assert setup_env.has_package(Path(sys.executable), 'torch')
    assert not setup_env.has_package(Path(sys.executable), 'no-such-package')


def test_triton_is_left_to_the_build_of_torch(setup_env):
    # A version in the lock file would contradict the one that a build of torch for GPUs asks for.
    assert 'triton==' not in (REPO / 'requirements' / 'constraints.lock').read_text()
    assert setup_env.read_pin('triton.txt').startswith('triton==')


def test_another_torch_makes_the_environment_outdated(setup_env, tmp_path, monkeypatch):
    stamp = tmp_path / setup_env.STAMP_NAME
    stamp.write_text(json.dumps(setup_env.wanted_stamp()))
    monkeypatch.setenv('TORCH_SPEC', 'torch==9.9')
    assert not setup_env.is_up_to_date(tmp_path)


def test_the_wheel_is_built_once_and_appears_whole(setup_env, fake_python, tmp_path):
    folder = tmp_path / 'cache' / 'key'
    folder.parent.mkdir()
    wheel = setup_env.build_wheel(fake_python, 'mmcv==2.1.0', folder)
    assert setup_env.find_wheel(folder) == wheel
    assert sorted(os.listdir(folder.parent)) == ['build.log', 'key']


def test_a_failed_build_leaves_no_wheel_and_shows_the_compilers_words(
        setup_env, fake_python, tmp_path):
    folder = tmp_path / 'cache' / 'key'
    folder.parent.mkdir()
    with pytest.raises(setup_env.SetupError, match='boom'):
        setup_env.build_wheel(fake_python, 'broken', folder)
    assert setup_env.find_wheel(folder) is None
    assert os.listdir(folder.parent) == ['build.log']


def test_a_missing_compiler_is_said_before_the_build(setup_env, monkeypatch, tmp_path):
    monkeypatch.setenv('CXX', 'no-such-compiler')
    with pytest.raises(setup_env.SetupError, match='no-such-compiler'):
        setup_env.build_wheel(Path(sys.executable), 'mmcv==2.1.0', tmp_path / 'key')


def test_the_cache_key_names_all_that_a_binary_depends_on(setup_env):
    key = setup_env.describe_build(Path(sys.executable), 'mmcv==2.1.0')
    assert re.fullmatch(r'mmcv-2\.1\.0-cp3\d+-torch\d[\w.]*-linux[\w.-]+', key)


def test_a_folder_that_is_no_environment_is_refused(tmp_path):
    (tmp_path / 'letters.txt').write_text('dear')
    ended = subprocess.run([sys.executable, SCRIPT, '--venv', tmp_path], capture_output=True,
                           text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith('error: ') and 'no virtual environment' in ended.stderr
    assert os.listdir(tmp_path) == ['letters.txt']


def test_every_direct_dependency_is_pinned_and_in_the_lock_file():
    lock = (REPO / 'requirements' / 'constraints.lock').read_text().lower().splitlines()
    for name in ('build.txt', 'runtime.txt', 'tests.txt', 'docs.txt'):
        for line in (REPO / 'requirements' / name).read_text().splitlines():
            if not line.startswith('#'):
                assert '==' in line, f'{name}: {line}'
                assert line.lower() in lock, f'{name}: {line}'


def test_make_says_which_python_it_wants():
    ended = subprocess.run(['make', 'setup', 'PYTHON=no-such-python'], cwd=REPO,
                           capture_output=True, text=True)
    assert ended.returncode != 0
    assert 'no-such-python was not found, expected Python 3.10 to 3.13' in ended.stderr
