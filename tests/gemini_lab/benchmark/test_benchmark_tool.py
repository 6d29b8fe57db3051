"""The benchmark command from a shell: help with examples, a run, one sentence for a mistake."""
import json
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]


def run_tool(*arguments):
    """Calls the tool and returns its process."""
    return subprocess.run([sys.executable, 'tools/benchmark.py', *map(str, arguments)], cwd=REPO, text=True,
                          capture_output=True)


def test_fusers_are_measured_and_written(tmp_path):
    rows_file = tmp_path / 'rows.json'
    ended = run_tool('fusion', '--device', 'cpu', '--cells', 64, '--channels', 16, '--repeats', 1, '--only',
                     'Gemini', 'addition', '--modes', 'inference', '--json', rows_file)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(rows_file.read_text())
    assert [row['name'] for row in rows] == ['GeminiFusion', 'addition']
    assert rows[0]['shape'] == '64 x 16' and rows[0]['median_s'] > 0 and rows[0]['peak_bytes'] > 0
    assert 'GeminiFusion' in ended.stdout and 'includes both directions' in ended.stdout


def test_help_shows_examples_and_a_mistake_is_one_sentence():
    ended = run_tool('fusion', '--help')
    assert ended.returncode == 0 and 'example: python tools/benchmark.py fusion' in ended.stdout
    ended = run_tool('model', 'configs/absent.py')
    assert ended.returncode == 2 and ended.stderr.strip().count('\n') == 0
    assert 'configs/absent.py does not exist' in ended.stderr
