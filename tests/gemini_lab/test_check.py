"""The environment check: what it finds, and what it says about it."""
import json
import re
import subprocess
import sys

import pytest
import torch

from gemini_lab import check


def write_pins(folder, runtime):
    """Writes requirements files with one runtime pin."""
    for name in ('torch.txt', 'mmcv.txt', 'tests.txt'):
        (folder / name).write_text('')
    (folder / 'runtime.txt').write_text(runtime)


def test_this_environment_has_no_problem(gemini3d):
    done = gemini3d('check', '--json')
    findings = json.loads(done.stdout)
    assert [finding for finding in findings if finding['state'] == 'problem'] == []
    assert done.returncode == 0
    assert {'sparse convolution', 'mmcv operators', 'device'} <= {f['name'] for f in findings}


def test_a_wrong_version_is_named_with_its_remedy(tmp_path):
    write_pins(tmp_path, '# comment\npytest==0.0.1\n')
    finding, = check.check_versions(tmp_path)
    assert finding.state == 'problem'
    assert re.search(r'pytest is \S+, pinned to 0\.0\.1', finding.detail)
    assert 'make setup' in finding.remedy


@pytest.mark.parametrize('version, state', [((3, 9, 2), 'problem'), ((3, 10, 13), 'ok'), ((3, 11, 7), 'ok'),
                                            ((3, 12, 1), 'note'), ((3, 14, 0), 'problem')])
def test_it_says_which_pythons_are_tested(monkeypatch, version, state):
    monkeypatch.setattr(check.sys, 'version_info', version)
    finding = check.check_python()
    assert finding.state == state and finding.detail.startswith('.'.join(map(str, version)))


def test_a_missing_package_is_named(tmp_path):
    write_pins(tmp_path, 'no-such-package==1.0\n')
    finding, = check.check_versions(tmp_path)
    assert finding.detail == 'no-such-package 1.0 is not installed'


def test_another_torch_is_a_note(tmp_path):
    write_pins(tmp_path, '')
    (tmp_path / 'torch.txt').write_text('torch==0.1\n')
    states = {finding.name: finding.state for finding in check.check_versions(tmp_path)}
    assert states == {'torch version': 'note', 'package versions': 'ok'}


def test_a_crashing_check_is_a_finding():
    crash = subprocess.Popen([sys.executable, '-c', 'import os; os.kill(os.getpid(), 11)'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check.finish_probe('spconv', crash)
    assert finding.state == 'problem'
    assert finding.detail.startswith('was killed by signal 11')


def test_a_failing_import_shows_its_last_line():
    crash = subprocess.Popen([sys.executable, '-c', 'import no_such_module'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check.finish_probe('data', crash)
    assert finding.detail == "failed: ModuleNotFoundError: No module named 'no_such_module'"
    assert finding.remedy


def test_little_disk_space_is_a_note(monkeypatch, tmp_path):
    assert check.check_disk(tmp_path).state in ('ok', 'note')
    monkeypatch.setattr(check, 'MIN_FREE_GB', 1e9)
    assert check.check_disk(tmp_path).state == 'note'


def test_the_crash_of_spconv_under_numpy_2_has_its_own_remedy():
    crash = subprocess.Popen([sys.executable, '-c', 'import os; os.kill(os.getpid(), 8)'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check.finish_probe('spconv', crash)
    assert 'signal 8' in finding.detail and 'numpy<2' in finding.remedy


def test_a_pin_for_another_python_is_not_asked_for(tmp_path):
    write_pins(tmp_path, 'older==1.0; python_version < "3.12"\nnewer==2.0; python_version >= "3.12"\n')
    package, version = ('older', '1.0') if sys.version_info < (3, 12) else ('newer', '2.0')
    assert [pin[:2] for pin in check.read_pins(tmp_path)] == [[package, version]]


@pytest.mark.parametrize('probe', [check.probe_cuda_splat, check.probe_cuda_fusion])
def test_what_is_asked_of_a_gpu_holds_between_two_cpus(probe):
    assert [finding.state for finding in probe('cpu')] == ['ok']


def test_a_wrong_or_missing_number_is_a_problem():
    right = torch.ones(3)
    for wrong in (torch.tensor([1., 1., 1.1]), torch.tensor([1., 1., float('nan')])):
        finding = check.judged('splat on the GPU', [(right, right), (wrong, right)], 'the remedy')
        assert (finding.state, finding.remedy) == ('problem', 'the remedy')


def test_a_gpu_is_probed_only_where_torch_sees_one(monkeypatch):
    monkeypatch.setattr(check, 'start_probe', lambda name: None)
    for device, probed in ((check.NO_GPU, []), ('H100 (CUDA 13.0)', list(check.CUDA_PROBES))):
        names = []
        monkeypatch.setattr(check, 'finish_probe', lambda name, process: names.append(name) or [
            check.Finding('device', 'ok', device)])
        check.check_all(['mmcv'])
        assert names == ['mmcv', *probed]


def test_a_crash_on_a_gpu_has_the_remedy_of_its_library():
    crash = subprocess.Popen([sys.executable, '-c', 'import os; os.kill(os.getpid(), 6)'],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finding, = check.finish_probe('cuda_splat', crash)
    assert 'signal 6' in finding.detail and 'Triton' in finding.remedy
