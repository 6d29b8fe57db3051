"""Ground truth, wrong by a known amount, through boxes, records and devkit: the errors on paper.

Ten classes, one object each, 4 m apart; every threshold and error follows by hand.
"""
import json
import math

import numpy as np
import pytest
import torch
from mmdet3d.registry import METRICS
from pyquaternion import Quaternion
from ten_objects import META, VAL_TOKENS, VERSION, lidar_boxes, object_center_m, write_infos

from gemini_lab.analysis.prediction_file import read_predictions
from geminifusion3d.nuscenes_facts import CLASS_NAMES, VALID_ATTRIBUTES
from geminifusion3d.results.devkit_eval import evaluate_file, open_tables
from geminifusion3d.submission.submission import write_submission

ERRORS = ('mATE', 'mASE', 'mAOE', 'mAVE', 'mAAE')


@pytest.fixture
def score(tiny_root, tmp_path):
    """Returns a function that scores predictions made by changing the ground truth."""
    def scored(change):
        metric = METRICS.build(dict(
            type='GeminiNuScenesMetric', data_root=str(tiny_root), out_dir=str(tmp_path), meta=META,
            ann_file=str(write_infos(tmp_path / 'infos.pkl'))))
        metric.dataset_meta = {'classes': CLASS_NAMES}
        for step, token in enumerate(VAL_TOKENS):
            metric.process(None, [{'sample_idx': step, 'token': token, 'pred_instances_3d': {
                'bboxes_3d': lidar_boxes(step, change), 'scores_3d': torch.full((10, ), 0.9),
                'labels_3d': torch.arange(10)}}])
        found = metric.evaluate(size=len(VAL_TOKENS))
        return {name.split('/')[1]: value for name, value in found.items()}
    return scored


def shift(*offset_m):
    """Returns a change that moves a box."""
    return lambda box: box.translate(np.array(offset_m))


def turn(angle_rad):
    """Returns a change that turns a box about its own upright axis."""
    def turned(box):
        box.orientation = Quaternion(axis=[0, 0, 1], radians=angle_rad) * box.orientation
    return turned


def resize(factor):
    """Returns a change that scales a box."""
    def resized(box):
        box.wlh = box.wlh * factor
    return resized


def drive(*velocity_mps):
    """Returns a change of velocity."""
    def driven(box):
        box.velocity = np.array([*velocity_mps, 0.0])
    return driven


@pytest.mark.parametrize(('change', 'mean_ap', 'errors'), [
    (shift(0, 0, 0), 1.0, (0, 0, 0, 0, 0)),
    # A shift passes the thresholds above it: of 0.5, 1, 2 and 4 m all, three, two, one.
    (shift(0.3, 0, 0), 1.0, (0.3, 0, 0, 0, 0)),
    (shift(0, -0.7, 0), 0.75, (0.7, 0, 0, 0, 0)),
    (shift(1.5, 0, 0), 0.5, (1.5, 0, 0, 0, 0)),
    # No match within the 2 m of the errors: each is 1 by definition.
    (shift(2.5, 0, 0), 0.25, (1, 1, 1, 1, 1)),
    # Aligned boxes: 1 - 1 / 1.2^3.
    (resize(1.2), 1.0, (0, 1 - 1 / 1.2 ** 3, 0, 0, 0)),
    (turn(0.25), 1.0, (0, 0, 0.25, 0, 0)),
    # Turned back to front: pi for eight classes, nothing for a barrier; a cone has no heading.
    (turn(math.pi), 1.0, (0, 0, 8 * math.pi / 9, 0, 0)),
    # (2, 0) m/s seen as (2, 1.5): still moving, so that the attribute stays right.
    (drive(2.0, 1.5), 1.0, (0, 0, 0, 1.5, 0)),
    # Seen as standing: 2 m/s wrong, and the attribute by speed is wrong for all eight classes.
    (drive(0.0, 0.0), 1.0, (0, 0, 0, 2.0, 1.0)),
    # The devkit never looks at z.
    (shift(0, 0, 3.0), 1.0, (0, 0, 0, 0, 0))])
def test_a_known_mistake_gives_the_errors_on_paper(score, change, mean_ap, errors):
    found = score(change)
    assert found['mAP'] == pytest.approx(mean_ap, abs=1e-9)
    assert [found[name] for name in ERRORS] == pytest.approx(errors, abs=2e-4)
    assert found['NDS'] == pytest.approx(
        (5 * mean_ap + sum(max(0, 1 - error) for error in errors)) / 10, abs=2e-4)


@pytest.mark.parametrize('rise_m', [0.0, 3.0])
def test_height_which_nds_cannot_see_is_that_of_the_ground_truth(score, tmp_path, rise_m):
    # 3 m too high must show; a bottom centre in place of the centre would show as half a height.
    score(shift(0, 0, rise_m))
    results = json.loads((tmp_path / 'results_nusc.json').read_text())['results']
    for step, token in enumerate(VAL_TOKENS):
        for record in results[token]:
            expected_m = object_center_m(record['detection_name'], step)[2] + rise_m
            assert record['translation'][2] == pytest.approx(expected_m, abs=1e-4)


@pytest.mark.parametrize('n_wrong', [1, 4, 8])
def test_a_wrong_attribute_costs_its_share_of_the_attribute_error_and_nothing_else(score, tiny_root, tmp_path,
                                                                                   n_wrong):
    # Attributes follow from speeds here, so that the mistake is made in the file that was written.
    score(shift(0, 0, 0))
    file = read_predictions(tmp_path / 'results_nusc.json')
    content = json.loads(file.path.read_text())
    with_attributes = [name for name in CLASS_NAMES if len(VALID_ATTRIBUTES[name]) > 1]
    for records in content['results'].values():
        for record in records:
            if record['detection_name'] in with_attributes[:n_wrong]:
                record['attribute_name'] = next(name for name in VALID_ATTRIBUTES[record['detection_name']]
                                                if name != record['attribute_name'])
    path = tmp_path / 'wrong.json'
    write_submission(path, meta=content['meta'], samples=content['results'].items())
    summary = evaluate_file(result_path=path, tables=open_tables(data_root=tiny_root, version=VERSION),
                            split='mini_val').summary
    # Eight of the ten classes have attributes.
    assert summary['tp_errors'] == pytest.approx(
        dict(trans_err=0, scale_err=0, orient_err=0, vel_err=0, attr_err=n_wrong / 8), abs=2e-4)
    assert summary['nd_score'] == pytest.approx((5 + 4 + 1 - n_wrong / 8) / 10, abs=2e-4)
