"""AP without the devkit: the devkit's own numbers on its classes, and a pencil's on overlaps and ranges."""
import json
import math
from pathlib import Path
from typing import Any, Dict, List, Sequence

import numpy as np
import pytest
import torch
from mmcv.ops import box_iou_rotated
from mmdet3d.registry import METRICS, TRANSFORMS
from mmdet3d.structures import BasePoints, LiDARInstance3DBoxes
from mmengine.evaluator import Evaluator
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.utils import quaternion_yaw
from nuscenes.eval.detection.evaluate import DetectionEval
from pyquaternion import Quaternion
from real_data import real_data

from gemini_lab.analysis.ground_truth import _countable_boxes, _record
from geminifusion3d.errors import UserError
from geminifusion3d.learned_samples import Overlap, SampleRecord
from geminifusion3d.nuscenes_facts import CLASS_NAMES, CLASS_RANGE_M
from geminifusion3d.results.detection_ap import overlap_average_precision, rotated_overlaps
from geminifusion3d.results.detection_metric import GeminiDetectionMetric, SampleBoxes
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.submission.submission import write_submission

META = dict(use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False)


def columns(boxes: Sequence[Any]) -> np.ndarray:
    """Returns the devkit's boxes seen from the ego vehicle; the AP asks for nothing but centres."""
    return np.array([[*box.ego_translation, box.size[1], box.size[0], box.size[2],
                      quaternion_yaw(Quaternion(box.rotation))] for box in boxes]).reshape(-1, 7)


def labels(boxes: Sequence[Any]) -> np.ndarray:
    return np.array([CLASS_NAMES.index(box.detection_name) for box in boxes], dtype=int)


def check_is_the_devkits(tables: NuScenes, path: Path, split: str, folder: Path) -> Dict[str, float]:
    """Scores a results file by both."""
    judge = DetectionEval(tables, config=config_factory('detection_cvpr_2019'), result_path=str(path),
                          eval_set=split, output_dir=str(folder), verbose=False)
    official = judge.evaluate()[0].serialize()
    metric = METRICS.build(dict(type='GeminiDetectionMetric', class_range_m=CLASS_RANGE_M))
    metric.dataset_meta = {'classes': CLASS_NAMES}
    found = metric.compute_metrics([SampleBoxes(
        index=index, boxes=columns(judge.pred_boxes[token]), labels=labels(judge.pred_boxes[token]),
        scores=np.array([box.detection_score for box in judge.pred_boxes[token]]),
        object_boxes=columns(judge.gt_boxes[token]), object_labels=labels(judge.gt_boxes[token]))
        for index, token in enumerate(judge.pred_boxes.sample_tokens)])
    compared = 0
    for name in CLASS_NAMES:
        for threshold_m, expected in official['label_aps'][name].items():
            if any(box.detection_name == name for box in judge.gt_boxes.all):
                assert found[f'{name}_AP_dist_{threshold_m:g}'] == pytest.approx(expected, abs=1e-9)
                compared += expected > 0
            else:
                assert expected == 0 and f'{name}_AP_dist_{threshold_m:g}' not in found
    assert compared >= 8
    return found


def test_distance_ap_is_the_devkits_with_noise_misses_and_equal_scores(
        synthetic_root: Path, tmp_path: Path) -> None:
    tables, rng = open_tables(data_root=synthetic_root, version='v1.0-mini'), np.random.default_rng(3)
    truth = _countable_boxes(tables, 'mini_train')

    def noisy(box: Any) -> Dict[str, Any]:
        return {**_record(box), 'translation': (np.array(box.translation) + rng.normal(0, 0.9, 3)).tolist(),
                'detection_score': float(rng.integers(1, 8) / 8)}
    write_submission(tmp_path / 'r.json', meta=META, samples=[
        (token, [noisy(box) for box in truth[token] for _ in range(rng.integers(0, 4))])
        for token in truth.sample_tokens])
    check_is_the_devkits(tables, tmp_path / 'r.json', 'mini_train', tmp_path / 'devkit')


def test_distance_ap_is_the_devkits_on_real_predictions_and_labels(tmp_path: Path) -> None:
    tables = open_tables(data_root=real_data('nuscenes_mini_val_tables'), version='v1.0-mini')
    path = real_data('third_party_submission') / 'results_nusc.json'
    found = check_is_the_devkits(tables, path, 'mini_val', tmp_path / 'devkit')
    assert found['car_AP_dist_2'] == pytest.approx(0.36552846917393406, abs=1e-9)


BOX = (0.0, 0.0, 1.0, 4.0, 2.0, 1.5, 0.0)


@pytest.mark.parametrize('other, seen_from_above, volume', [
    (BOX, 1.0, 1.0),
    # Half of the length: 4 of 12 square metres.
    ((2.0, 0.0, 1.0, 4.0, 2.0, 1.5, 0.0), 1 / 3, 1 / 3),
    # Half of the height too.
    ((2.0, 0.0, 1.75, 4.0, 2.0, 1.5, 0.0), 1 / 3, 3 / 21),
    # Turned by a quarter: the middle 2 x 2 of 8 + 8 - 4; by a half: the same.
    ((0.0, 0.0, 1.0, 4.0, 2.0, 1.5, math.pi / 2), 4 / 12, 4 / 12),
    ((0.0, 0.0, 1.0, 4.0, 2.0, 1.5, math.pi), 1.0, 1.0),
    # A square with side 2 / sqrt(2) on its corner touches the long sides: 2 square metres inside.
    ((0.0, 0.0, 1.0, math.sqrt(2), math.sqrt(2), 1.5, math.pi / 4), 2 / 8, 2 / 8),
    ((0.0, 0.0, 3.0, 4.0, 2.0, 1.5, 0.0), 1.0, 0.0), ((4.0, 0.0, 1.0, 4.0, 2.0, 1.5, 0.0), 0.0, 0.0)])
def test_overlaps_are_what_a_pencil_says(
        other: Sequence[float], seen_from_above: float, volume: float) -> None:
    pair = np.array([BOX]), np.array([other])
    assert rotated_overlaps(*pair, with_height=False)[0, 0] == pytest.approx(seen_from_above, abs=1e-12)
    assert rotated_overlaps(*pair)[0, 0] == pytest.approx(volume, abs=1e-12)
    assert rotated_overlaps(*pair[::-1])[0, 0] == pytest.approx(volume, abs=1e-12)


@pytest.mark.mmcv_operators
def test_overlaps_of_random_boxes_are_those_of_mmcv() -> None:
    rng = np.random.default_rng(0)
    boxes, others = (np.column_stack([
        rng.uniform(-4, 4, (40, 2)), np.zeros(40), rng.uniform(0.5, 6, (40, 2)), np.ones(40),
        rng.uniform(-7, 7, 40)]) for _ in range(2))
    expected = box_iou_rotated(*(
        torch.from_numpy(one[:, [0, 1, 3, 4, 6]]).float() for one in (boxes, others)))
    found = rotated_overlaps(boxes, others, with_height=False)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4)
    assert 100 < (found > 0.1).sum() < 1500


def test_the_area_under_falling_precision_is_what_a_pencil_says() -> None:
    # Found, wrong, found, missed one of three: 1/3 at precision 1, 1/3 at 2/3.
    area = overlap_average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), 3)
    assert area == pytest.approx(1 / 3 + 2 / 9)
    assert overlap_average_precision(np.zeros(0), np.zeros(0, dtype=bool), 3) == 0


def sample(index: int, found: List[Sequence[float]], truth: List[Sequence[float]],
           key: str = 'eval_ann_info') -> Dict[str, Any]:
    """A sample with predictions (x, score, label) and objects (x, label), boxes like BOX elsewhere."""
    def boxes(x_m: List[float]) -> LiDARInstance3DBoxes:
        rows = [[x, *BOX[1:], 0.0, 0.0] for x in x_m]
        return LiDARInstance3DBoxes(torch.tensor(rows).reshape(-1, 9), box_dim=9, origin=(0.5, 0.5, 0.5))
    objects = boxes([row[0] for row in truth]), torch.tensor([int(row[1]) for row in truth])
    names = ('gt_bboxes_3d', 'gt_labels_3d') if key == 'eval_ann_info' else ('bboxes_3d', 'labels_3d')
    return {'sample_idx': index, key: dict(zip(names, objects)), 'pred_instances_3d': {
        'bboxes_3d': boxes([row[0] for row in found]),
        'scores_3d': torch.tensor([float(row[1]) for row in found]),
        'labels_3d': torch.tensor([int(row[2]) for row in found])}}


def score(samples: List[Dict[str, Any]], classes: Sequence[str] = ('forklift', 'pallet', 'person'),
          **kwargs: Any) -> Dict[str, float]:
    metric = GeminiDetectionMetric(**kwargs)
    metric.dataset_meta = {'classes': classes}
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('key', ['eval_ann_info', 'gt_instances_3d'])
def test_own_classes_are_scored_and_those_without_objects_left_out(key: str, tmp_path: Path) -> None:
    found = score([
        sample(0, [(5.0, 0.9, 0), (30.0, 0.6, 0), (9.0, 0.8, 2)], [(5.3, 0), (30.0, 0), (8.0, -1)], key),
        sample(1, [], [(50.0, 1)], key)], out_dir=str(tmp_path))
    # 0.3 m along 4 m: overlap 3.7 / 4.3 = 0.86, above all thresholds.
    for name in ('AP_dist_0.5', 'AP_dist_4', 'AP_iou_0.3', 'AP_iou_0.7', 'AP_dist_0-20m', 'AP_dist_20-40m'):
        assert found[f'Detection/forklift_{name}'] == pytest.approx(1), name
    assert found['Detection/pallet_AP_dist_4'] == 0 and found['Detection/pallet_AP_dist_40-infm'] == 0
    assert (found['Detection/mAP'], found['Detection/mAP_iou']) == pytest.approx((0.5, 0.5))
    assert not any('person' in name for name in found) and (tmp_path / 'detection_metrics.json').is_file()


def test_the_file_says_how_many_scored_samples_were_learned(tmp_path: Path) -> None:
    metric = GeminiDetectionMetric(out_dir=str(tmp_path))
    metric.dataset_meta = {'classes': ('forklift',)}
    metric.overlap = Overlap.between(SampleRecord.of('val', 'ab'), SampleRecord.of('train', 'bc'))
    metric.process({}, [sample(0, [(5.0, 0.9, 0)], [(5.0, 0)])])
    assert 'learned_samples' not in metric.evaluate(1)
    assert json.loads((tmp_path / 'detection_metrics.json').read_text())['learned_samples'] == dict(
        scored=2, learned=1, sources=['train (2 samples)'], unknown=[])


def test_thresholds_decide_what_is_found() -> None:
    # 1.5 m off: within 2 and 4 m; overlap 2.5 / 5.5 = 0.4545.
    found = score([sample(0, [(11.5, 0.9, 0)], [(10.0, 0)])])
    aps = {name.partition('_')[2]: value for name, value in found.items()
           if '_dist_' in name or '_iou_' in name}
    assert aps == pytest.approx({
        'AP_dist_0.5': 0, 'AP_dist_1': 0, 'AP_dist_2': 1, 'AP_dist_4': 1, 'AP_dist_0-20m': 0.5,
        'AP_iou_0.3': 1, 'AP_iou_0.5': 0, 'AP_iou_0.7': 0, 'AP_iou_0-20m': 1 / 3})


def test_a_prediction_counts_in_the_range_of_the_object_that_it_found() -> None:
    found = score([sample(0, [(20.2, 0.9, 0), (19.0, 0.95, 0)], [(19.9, 0)])], distances_m=[0.5],
                  overlaps=[])
    # The wrong one, of higher score, lies in the same range: precision rises from 0 to 1 / 2 with recall,
    # the sum over recalls 0.21 to 1 of 0.5 r - 0.1 is 16.2, by 90 recalls and by 0.9.
    assert found['Detection/forklift_AP_dist_0-20m'] == pytest.approx(16.2 / 90 / 0.9)
    assert 'Detection/forklift_AP_dist_20-40m' not in found and 'Detection/mAP_iou' not in found


def test_what_lies_beyond_the_range_of_its_class_is_not_there() -> None:
    rows = [sample(0, [(5.0, 0.5, 0), (30.0, 0.9, 0)], [(5.0, 0), (31.0, 0)])]
    assert score(rows, class_range_m={'forklift': 25.0})['Detection/mAP'] == pytest.approx(1)
    assert score(rows)['Detection/mAP'] < 0.9


def test_order_and_repeated_samples_do_not_matter() -> None:
    rows = [sample(i, [(5.0 + 0.4 * i, 0.5, 0), (7.0, 0.5, 0)], [(5.0, 0)]) for i in range(4)]
    assert score(rows) == score([rows[2], rows[0], rows[3], rows[1], rows[0]])


@pytest.mark.parametrize('samples, kwargs, message', [
    ([sample(0, [], [])], {}, 'hold no object of the classes forklift'),
    ([sample(0, [(5.0, 0.9, 3)], [])], {}, 'the model predicts label 3, the dataset names 3 classes'),
    ([sample(0, [], [(5.0, 4)])], {}, 'the dataset holds label 4'),
    ([{**sample(0, [], []), 'eval_ann_info': None}], {}, 'without its objects; .*load_eval_anns'),
    ([sample(0, [], [])], {'classes': ()}, r'has the classes \(none\)'),
    ([sample(0, [], [])], {'class_range_m': {'car': 50}}, "class_range_m names 'car'"),
    ([], {'overlaps': [0.0]}, 'overlaps above 0'), ([], {'distances_m': []}, 'at least one distance'),
    ([], {'range_edges_m': [0, 0]}, 'two or more that rise')])
def test_mistakes_are_named(samples: List[Dict[str, Any]], kwargs: Dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        score(samples, **kwargs)


def test_objects_arrive_as_mmdet3d_packs_them() -> None:
    init_default_scope('mmdet3d')
    given = sample(7, [(5.0, 0.9, 0)], [(5.0, 0), (6.0, 1)])
    pack = TRANSFORMS.build(dict(type='Pack3DDetInputs', keys=['points'], meta_keys=['sample_idx']))
    packed = pack({'points': BasePoints(torch.zeros(1, 3), 3), 'sample_idx': 7,
                   'eval_ann_info': given['eval_ann_info']})['data_samples']
    packed.pred_instances_3d = InstanceData(**given['pred_instances_3d'])
    evaluator = Evaluator([dict(type='GeminiDetectionMetric')])
    evaluator.dataset_meta = {'classes': ('forklift', 'pallet')}
    evaluator.process([packed])
    assert evaluator.evaluate(1)['Detection/mAP'] == pytest.approx(0.5)
