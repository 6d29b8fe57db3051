"""The real keyframe: a short training on it learns; `make keyframe` is the long form."""
import json
import subprocess

from gemini_lab import keyframe
from gemini_lab.demo import REPO


def test_a_short_training_on_the_real_keyframe_halves_the_loss(keyframe_root, tmp_path):
    convert, train, _ = keyframe.make_steps(keyframe_root.resolve(), tmp_path)
    subprocess.run(convert.command, cwd=REPO, check=True, capture_output=True)
    # One thread: two would wait for each other ten times as long as they compute on a busy machine.
    short = ('train_cfg.max_epochs=16', 'train_cfg.val_interval=99', 'param_scheduler.0.total_steps=16',
             'env_cfg.torch_threads=1')
    subprocess.run([*train.command, *short], cwd=REPO, check=True, capture_output=True)
    curve = [json.loads(line) for line in (tmp_path / 'loss_curve.jsonl').read_text().splitlines()]
    losses = [entry['loss'] for entry in curve]
    assert len(losses) == 16
    assert losses[-1] < losses[0] / 2


def test_a_folder_without_the_dataset_is_named(gemini3d, tmp_path):
    done = gemini3d('keyframe', '--dataroot', tmp_path / 'none')
    assert done.returncode == 2
    assert 'no v1.0-mini dataset' in done.stderr and '--dataroot' in done.stderr
