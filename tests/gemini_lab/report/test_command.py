"""The command: help, one line for a mistake, one page for success."""
import json

import pytest


@pytest.fixture()
def run(gemini3d):
    """Writes a report."""
    return lambda *words: gemini3d('report', *words)


def test_help_gives_an_example(run):
    done = run('--help')
    assert done.returncode == 0
    assert 'Example:' in done.stdout


def test_a_page_is_written(run, metrics_dir, tiny_root, tmp_path):
    out = tmp_path / 'deep' / 'report.html'
    done = run(metrics_dir, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--samples', 1, '--worst', 0, '--resamples', 2,
               '--title', 'Mine', '--out', out)
    assert done.returncode == 0, done.stderr
    assert '1 sample, mAP' in done.stdout
    assert '<h1>Mine</h1>' in out.read_text()


def test_a_mistake_ends_in_one_line_and_code_2(run, tiny_root, tmp_path):
    done = run(tmp_path, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--out', tmp_path / 'report.html')
    assert done.returncode == 2
    assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1
    assert not (tmp_path / 'report.html').exists()


def test_a_negative_number_is_refused(run, metrics_dir, tiny_root, tmp_path):
    done = run(metrics_dir, '--dataroot', tiny_root, '--version', 'v1.0-mini',
               '--split', 'mini_val', '--resamples', -1, '--out', tmp_path / 'report.html')
    assert done.returncode == 2
    assert 'must be at least 0, got -1' in done.stderr


def test_the_runs_own_record_says_dataset_and_recipe(run, metrics_dir, tiny_root):
    record = dict(dataset=dict(dataroot=str(tiny_root), version='v1.0-mini', split='mini_val'),
                  config='configs/a/recipe.py', date='2026-01-02',
                  checkpoint=dict(path='work_dirs/a/epoch_9.pth'))
    (metrics_dir / 'test_run.json').write_text(json.dumps(record))
    done = run(metrics_dir, '--samples', 1, '--worst', 0, '--resamples', 0)
    assert done.returncode == 0, done.stderr
    page = (metrics_dir / 'report.html').read_text()
    for name in ('recipe', 'epoch_9.pth', '2026-01-02'):
        assert f'<dd>{name}</dd>' in page
