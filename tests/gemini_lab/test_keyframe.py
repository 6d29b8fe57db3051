"""The real keyframe: a short training on it learns; `make keyframe` is the long form."""
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    """Returns tools/overfit_keyframe.py as a module."""
    spec = importlib.util.spec_from_file_location('overfit_keyframe',
                                                  REPO / 'tools/overfit_keyframe.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_short_training_on_the_real_keyframe_halves_the_loss(tool, keyframe_root, tmp_path):
    convert, train, _ = tool.make_steps(keyframe_root.resolve(), tmp_path)
    subprocess.run(convert.command, cwd=REPO, check=True, capture_output=True)
    # One thread: two would wait for each other ten times as long as they compute on a busy machine.
    short = ('train_cfg.max_epochs=16', 'train_cfg.val_interval=99', 'param_scheduler.0.total_steps=16',
             'env_cfg.torch_threads=1')
    subprocess.run([*train.command, *short], cwd=REPO, check=True, capture_output=True)
    curve = [json.loads(line) for line in (tmp_path / 'loss_curve.jsonl').read_text().splitlines()]
    losses = [entry['loss'] for entry in curve]
    assert len(losses) == 16
    assert losses[-1] < losses[0] / 2


def test_a_folder_without_the_dataset_is_told(tmp_path):
    ended = subprocess.run(
        [sys.executable, 'tools/overfit_keyframe.py', '--keyframe', str(tmp_path / 'none')], cwd=REPO,
        text=True, capture_output=True)
    assert ended.returncode == 2
    assert 'no v1.0-mini dataset' in ended.stderr and '--keyframe' in ended.stderr
