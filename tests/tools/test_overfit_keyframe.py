"""The keyframe check names a missing dataset; `make keyframe` is the check itself."""
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]


def test_a_folder_without_the_dataset_is_told(tmp_path):
    ended = subprocess.run(
        [sys.executable, 'tools/overfit_keyframe.py', '--keyframe', str(tmp_path / 'none')], cwd=REPO,
        text=True, capture_output=True)
    assert ended.returncode == 2
    assert 'no v1.0-mini dataset' in ended.stderr and '--keyframe' in ended.stderr
