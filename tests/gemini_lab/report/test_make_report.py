"""The command: help, one line for a mistake, one page for success."""
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

TOOL = Path(__file__).parents[3] / 'tools' / 'make_report.py'


@pytest.fixture()
def run(monkeypatch, capsys):
    """Runs the tool as its own program would, without starting Python and torch anew."""
    def run_tool(*arguments):
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(TOOL), run_name='__main__')
        printed = capsys.readouterr()
        return SimpleNamespace(returncode=stopped.value.code, stdout=printed.out,
                               stderr=printed.err)
    return run_tool


def test_help_gives_an_example(run):
    done = run('--help')
    assert done.returncode == 0
    assert 'Example:' in done.stdout


def test_a_page_is_written(run, metrics_dir, tiny_root, tmp_path):
    out = tmp_path / 'deep' / 'report.html'
    done = run('--metrics-dir', metrics_dir, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--samples', 1, '--worst', 0, '--resamples', 2,
               '--fact', 'machine=2 cores', '--out', out)
    assert done.returncode == 0, done.stderr
    assert '1 samples, mAP' in done.stdout
    assert '<dt>machine</dt><dd>2 cores</dd>' in out.read_text()


def test_a_mistake_ends_in_one_line_and_code_2(run, tiny_root, tmp_path):
    done = run('--metrics-dir', tmp_path, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--out', tmp_path / 'report.html')
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1
    assert not (tmp_path / 'report.html').exists()


def test_a_negative_number_is_refused(run, metrics_dir, tiny_root, tmp_path):
    done = run('--metrics-dir', metrics_dir, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--resamples', -1, '--out', tmp_path / 'report.html')
    assert done.returncode == 2
    assert 'error: --resamples -1 is negative' in done.stderr
