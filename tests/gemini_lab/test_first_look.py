"""What `gemini3d demo --quick` does, with the weights that come with the package."""
import json
import webbrowser
from pathlib import Path

import cv2

from gemini_lab.first_look import WEIGHTS
from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint


def test_the_weights_are_small_and_say_where_they_come_from():
    assert WEIGHTS.stat().st_size < 5e6
    facts = read_checkpoint(WEIGHTS)['meta']
    assert len(facts['commit']) == 40 and facts['licence'] == 'Apache-2.0'
    assert 0 < float(facts['mAP']) < 1 and facts['seed'] == '0'


def test_two_keyframes_are_generated_predicted_drawn_and_opened(gemini3d, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, 'open', opened.append)
    monkeypatch.setenv('DISPLAY', ':0')
    done = gemini3d('demo', '--quick', tmp_path / 'look')
    assert done.returncode == 0, done.stderr
    found = tmp_path / 'look' / 'found'
    samples = json.loads((found / 'predictions.json').read_text())['samples']
    assert len(samples) == 2 and all(len(sample['boxes']) > 3 for sample in samples)
    pictures = sorted(found.glob('*.jpg'))
    assert len(pictures) == 2 and cv2.imread(str(pictures[0])).shape[1] > 3 * 640
    assert opened == [(found / 'scene.html').as_uri()] and Path(opened[0][7:]).is_file()
    assert all(str(path) in done.stdout for path in pictures) and 'weights: commit' in done.stdout
