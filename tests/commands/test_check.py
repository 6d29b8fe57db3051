"""The environment check: what it finds, and what it says about it."""
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
SCRIPT = REPO / 'tools' / 'check_env.py'


@pytest.fixture(scope='module')
def check_env():
    """The script as a module."""
    spec = importlib.util.spec_from_file_location('check_env', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules['check_env'] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules['check_env']


def write_pins(folder, runtime):
    """Writes requirements files with one runtime pin."""
    for name in ('torch.txt', 'mmcv.txt', 'tests.txt'):
        (folder / name).write_text('')
    (folder / 'runtime.txt').write_text(runtime)


def test_this_environment_has_no_problem():
    ended = subprocess.run([sys.executable, SCRIPT, '--json'], capture_output=True, text=True)
    findings = json.loads(ended.stdout)
    assert [finding for finding in findings if finding['state'] == 'problem'] == []
    assert ended.returncode == 0
    assert {'sparse convolution', 'mmcv operator', 'device'} <= {f['name'] for f in findings}


def test_a_wrong_version_is_named_with_its_remedy(check_env, tmp_path):
    write_pins(tmp_path, '# comment\npytest==0.0.1\n')
    finding, = check_env.check_versions(tmp_path)
    assert finding.state == 'problem'
    assert re.search(r'pytest is \S+, pinned to 0\.0\.1', finding.detail)
    assert 'make setup' in finding.remedy


def test_a_missing_package_is_named(check_env, tmp_path):
    write_pins(tmp_path, 'no-such-package==1.0\n')
    finding, = check_env.check_versions(tmp_path)
    assert finding.detail == 'no-such-package 1.0 is not installed'


def test_another_torch_is_a_note(check_env, tmp_path):
    write_pins(tmp_path, '')
    (tmp_path / 'torch.txt').write_text('torch==0.1\n')
    states = {finding.name: finding.state for finding in check_env.check_versions(tmp_path)}
    assert states == {'torch version': 'note', 'package versions': 'ok'}


def test_a_crashing_check_is_a_finding(check_env):
    crash = subprocess.Popen([sys.executable, '-c', 'import os; os.kill(os.getpid(), 11)'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check_env.finish_probe('spconv', crash)
    assert finding.state == 'problem'
    assert finding.detail.startswith('was killed by signal 11')


def test_a_failing_import_shows_its_last_line(check_env):
    crash = subprocess.Popen([sys.executable, '-c', 'import no_such_module'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check_env.finish_probe('data', crash)
    assert finding.detail == "failed: ModuleNotFoundError: No module named 'no_such_module'"
    assert finding.remedy


def test_little_disk_space_is_a_note(check_env, monkeypatch, tmp_path):
    assert check_env.check_disk(tmp_path).state in ('ok', 'note')
    monkeypatch.setattr(check_env, 'MIN_FREE_GB', 1e9)
    assert check_env.check_disk(tmp_path).state == 'note'
