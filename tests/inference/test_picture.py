"""The picture: predictions in the colour of their class where they project to, and what is missing."""
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from geminifusion3d.inference import draw_detections
from geminifusion3d.inference.detections import Detections


@pytest.fixture
def ahead() -> Detections:
    """A car ten metres ahead of the LiDAR, which is along y, and an unsure one behind it."""
    boxes = np.array([[0, 10, -1, 4, 2, 1.6, 1.57], [0, -10, -1, 4, 2, 1.6, 1.57]], np.float32)
    return Detections('a', boxes, np.zeros((2, 2), np.float32), np.array([0.9, 0.2], np.float32),
                      np.array([0, 0]), ('car', 'truck'))


def count(picture: np.ndarray, rgb: tuple) -> int:
    """Pixels of a colour."""
    return int((picture == rgb[::-1]).all(axis=2).sum())


def test_boxes_have_the_colour_of_their_class_where_they_are(detector, sample, ahead):
    without_truth = replace(sample, info={**sample.info, 'instances': []})
    found = replace(ahead, class_names=detector.class_names)
    picture = draw_detections(detector, without_truth, found, min_score=0.3)
    car, height, width = detector.palette_rgb[0], 360, 640
    front, back = picture[:height, width:2 * width], picture[height:2 * height, width:2 * width]
    assert count(front, car) > 50 and count(back, car) == 0
    both = draw_detections(detector, without_truth, found, min_score=0.1)
    assert count(both[height:2 * height, width:2 * width], car) > 50
    # Ahead, +y, is the upper half of the view from above.
    side = picture.shape[1] - 3 * width
    above = picture[:side, 3 * width:]
    assert count(above[:side // 2], car) > count(above[side // 2:], car) == 0
    with_truth = draw_detections(detector, sample, found, min_score=0.3)
    assert (with_truth != picture).any()


def test_it_says_that_nothing_passes_and_what_is_missing(detector, sample, ahead):
    found = replace(ahead, class_names=detector.class_names)
    images = {**sample.info['images'], 'CAM_FRONT': {'img_path': None}}
    half = replace(sample, info={**sample.info, 'images': images, 'instances': []})
    none, some = (draw_detections(detector, half, found, min_score=score) for score in (0.95, 0.3))
    side = none.shape[1] - 3 * 640
    assert count(none[:side], detector.palette_rgb[0]) == 0 < count(some[:side], detector.palette_rgb[0])
    # The note in the legend differs, the black camera has nothing but its title.
    assert (none[side:] != some[side:]).any() and not none[30:360, 640:1280].any()


def test_the_script_of_the_page_runs(synthetic_root, checkpoint, tmp_path, monkeypatch, capsys):
    repository = Path(__file__).resolve().parents[2]
    code = (repository / 'docs' / 'predict.md').read_text().partition('```python\n')[2].partition('```')[0]
    assert len(code.splitlines()) <= 10
    for theirs, ours in [('configs/demo/geminifusion3d_tiny_lidar-cam_keyframe.py', 'config.py'),
                         ('v1.0-trainval', 'v1.0-mini'), ('data/nuscenes', str(synthetic_root)),
                         ('work_dirs/keyframe/epoch_300.pth', str(checkpoint))]:
        assert theirs in code
        code = code.replace(theirs, ours)
    monkeypatch.chdir(tmp_path)
    config = repository / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
    Path('config.py').write_text(f"_base_ = ['{config}']\n")
    exec(compile(code, 'predict.md', 'exec'), {})
    assert len(list(tmp_path.glob('*.jpg'))) == 4 == len(capsys.readouterr().out.splitlines())


def test_mmdet3d_builds_the_model_from_the_same_files(checkpoint, detector, sample):
    from demo_weights import CONFIG
    from mmdet3d.apis import init_model
    from mmengine.dataset import pseudo_collate
    model = init_model(str(CONFIG), str(checkpoint), device='cpu')
    output = model.test_step(pseudo_collate([detector.prepared(sample)]))[0]
    scores = np.sort(output.pred_instances_3d.scores_3d.numpy())[::-1]
    np.testing.assert_array_equal(scores, detector(sample).scores)
    assert model.dataset_meta['classes'][0] == 'car' and len(model.dataset_meta['palette']) == 10
