"""The commands of docs/map_segmentation.md on the tiny world: train, score, draw; two tasks in one run."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.inference import Detector

REPO = Path(__file__).resolve().parents[1]
RECIPE = 'configs/demo/geminifusion3d_tiny_lidar-cam_{}_synthetic-mini.py'
SMALL = ['bev_grid.range_m=[-20,-16,-3,20,16,3]', 'cell_grid.range_m=[-15,-10,-3,15,10,3]', 'max_epochs=1',
         'env_cfg.torch_threads=1', *(f'{name}_dataloader.{key}' for name in ('train', 'val', 'test')
                                      for key in ('num_workers=0', 'persistent_workers=False'))]


def run(gemini3d, command, task, root, *words):
    """Runs a command on a recipe of one epoch, a small grid and the tiny world."""
    done = gemini3d(command, str(REPO / RECIPE.format(task)), *words, '--work-dir', 'run', '--cfg-options',
                    f'data_root={root}', *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_training_without_boxes_is_scored(converted_root, tmp_path, monkeypatch, gemini3d):
    monkeypatch.chdir(tmp_path)
    run(gemini3d, 'train', 'map', converted_root)
    metrics = json.loads(Path('run/segmentation_metrics.json').read_text())
    assert 0 <= metrics['mIoU'] <= 1 and 'divider_IoU_0.65' in metrics
    assert metrics['learned_samples']['scored'] == 2 and metrics['learned_samples']['learned'] == 0
    assert not Path('run/metrics_summary.json').exists()


def test_two_tasks_are_trained_scored_and_drawn_in_one_run(converted_root, tmp_path, monkeypatch, gemini3d):
    monkeypatch.chdir(tmp_path)
    run(gemini3d, 'train', 'det-map', converted_root)
    for name in ('segmentation_metrics.json', 'metrics_summary.json'):
        (Path('run') / name).unlink()
    run(gemini3d, 'test', 'det-map', converted_root, 'run/epoch_1.pth', '--show-dir', 'shown')
    assert Path('run/segmentation_metrics.json').is_file() and Path('run/metrics_summary.json').is_file()
    pictures = sorted(Path('shown').glob('*_cells.png'))
    assert len(pictures) == 2
    # Labels on the left: 60 x 40 cells of which some are road; a picture has two panels and a legend.
    left = cv2.imread(str(pictures[0]))[:, :400]
    assert (np.abs(left.astype(int) - (227, 206, 166)).max(axis=2) == 0).sum() > 1000


def test_a_model_without_boxes_is_named_where_boxes_are_asked_for(tmp_path):
    with pytest.raises(UserError, match='predicts no boxes'):
        Detector.from_files(REPO / RECIPE.format('map'), tmp_path / 'absent.pth')
