"""The command: one line for a mistake, one page for success."""
from lab_command import run_command

DATASET = ('--version', 'v1.0-mini', '--split', 'mini_val')


def test_a_page_is_written(metrics_dir, tiny_root, tmp_path, capsys):
    out = tmp_path / 'deep' / 'report.html'
    done = run_command(capsys, 'report', metrics_dir, '--dataroot', tiny_root, *DATASET, '--samples', 1, '--worst', 0,
                       '--resamples', 2, '--fact', 'machine=2 cores', '--fact', 'code=mine', '--out', out)
    assert done.code == 0, done.err
    assert '1 sample, mAP' in done.out
    assert '<dt>machine</dt><dd>2 cores</dd>' in out.read_text()
    assert '<dt>code</dt><dd>mine</dd>' in out.read_text()


def test_a_mistake_ends_in_one_line_and_code_2(tiny_root, tmp_path, metrics_dir, capsys):
    done = run_command(capsys, 'report', tmp_path, '--dataroot', tiny_root, *DATASET)
    assert done.code == 2 and done.error.startswith('error: ')
    assert not (tmp_path / 'report.html').exists()
    done = run_command(capsys, 'report', metrics_dir, '--dataroot', tiny_root, *DATASET, '--resamples', -1)
    assert done.code == 2 and 'must be at least 0, got -1' in done.error
