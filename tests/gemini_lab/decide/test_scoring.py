"""The score from memory is the devkit's own; a resampled scene counts as often as it was drawn."""
import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from nuscenes.utils.splits import train, val
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.decide.scoring import ClassMatches, load_truth, match_boxes, mean_average_precision, resampled
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.info_file import open_info_file
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.devkit_eval import evaluate_file, open_tables
from geminifusion3d.results.nuscenes_boxes import to_global_boxes
from geminifusion3d.submission.submission import write_submission

META = dict(use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False)


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Two training scenes of three keyframes, converted."""
    root = tmp_path_factory.mktemp('world')
    write_tiny_nuscenes(root, version='v1.0-trainval', scenes=(*train[:2], val[0]), keyframes=3)
    convert_nuscenes(root, 'v1.0-trainval', root)
    return root


@pytest.fixture(scope='module')
def found(world):
    """Shifted annotations of all classes among made-up boxes, some in a rack of bicycles."""
    rng = np.random.default_rng(0)
    truth, boxes = load_truth(world, 'geminifusion3d_infos_train.pkl'), []
    for frame, info in zip(truth.infos.frames, open_info_file(world / 'geminifusion3d_infos_train.pkl')):
        real = np.array([one['bbox_3d'] + [0.0, 0.0] for one in info['instances']])[:, :9]
        labels = np.array([max(0, one['bbox_label_3d']) for one in info['instances']])
        made = np.concatenate([np.repeat(real, 3, axis=0), real[rng.integers(0, len(real), 20)]])
        made[:, :2] += rng.normal(0, 1.5, (len(made), 2))
        kinds = np.concatenate([np.repeat(labels, 3), rng.integers(0, 10, 20)])
        made[:, 3:6], made[:, 7:] = np.maximum(made[:, 3:6], 0.5), 0.0
        boxes.append(to_global_boxes(
            boxes=LiDARInstance3DBoxes(torch.tensor(made, dtype=torch.float32), box_dim=9),
            scores=torch.tensor(rng.integers(1, 60, len(made)) / 60), labels=torch.tensor(kinds),
            class_names=CLASS_NAMES, frame=frame))
    return truth, boxes


def test_the_score_is_the_devkits(world, found, tmp_path):
    truth, boxes = found
    write_submission(tmp_path / 'r.json', meta=META, samples=((one.token, one.records()) for one in boxes))
    tables = open_tables(data_root=world, version='v1.0-trainval', split='train')
    official = evaluate_file(result_path=tmp_path / 'r.json', tables=tables, split='train').summary['mean_ap']
    ours = mean_average_precision(match_boxes(truth, boxes), np.ones(2))
    assert official > 0.02
    assert ours == pytest.approx(official, abs=1e-9)


def test_a_scene_drawn_twice_counts_twice():
    scores, annotations = np.array([0.9, 0.8, 0.7]), np.array([1, 2])
    one = ClassMatches(scores, np.array([True, False, True]), np.array([0, 1, 1]), annotations)
    # Scene 0 alone: one annotation, found first.
    assert one.average_precision(np.array([2.0, 0.0])) == pytest.approx(1.0)
    twice = ClassMatches(*(np.repeat(part, 2) for part in (scores, one.is_match, one.scene)),
                         2 * annotations)
    # But for where the curve is read.
    assert one.average_precision(np.full(2, 2.0)) == pytest.approx(
        twice.average_precision(np.ones(2)), abs=0.01)
    nothing = ClassMatches(np.zeros(0), np.zeros(0, bool), np.zeros(0, int), np.zeros(2, int))
    assert nothing.average_precision(np.ones(2)) == 0.0
    assert np.isnan(one.average_precision(np.zeros(2)))


def test_every_run_sees_the_same_resampled_scenes(found):
    matches = match_boxes(*found)
    assert resampled(matches, 4) == resampled(matches, 4) and len(set(resampled(matches, 4))) > 1
