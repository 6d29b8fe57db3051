"""The metric: ground truth through the model's box format, guards, independence of processes."""
import errno
import json
import random
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import pytest
import torch
from mmdet3d.registry import METRICS
from mmdet3d.structures import LiDARInstance3DBoxes
from ten_objects import META, TRAIN_TOKEN, VAL_TOKENS, lidar_boxes, object_center_m, write_infos

from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results import nuscenes_metric
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.results.nuscenes_metric import GeminiNuScenesMetric
from geminifusion3d.submission import submission


def prediction(step: int, token: Optional[str] = None) -> Dict[str, Any]:
    """What the model gives for a val sample when it is right about everything."""
    count = len(CLASS_NAMES)
    return {'sample_idx': step, 'token': token or VAL_TOKENS[step], 'pred_instances_3d': {
        'bboxes_3d': lidar_boxes(step), 'scores_3d': torch.full((count, ), 0.9),
        'labels_3d': torch.arange(count)}}


@pytest.fixture
def infos(tmp_path: Path) -> Path:
    """The info file of mini_val."""
    return write_infos(tmp_path / 'infos.pkl')


def build(tiny_root: Path, infos: Path, **kwargs: Any) -> GeminiNuScenesMetric:
    """Builds the metric as a config does."""
    metric = METRICS.build(dict(type='GeminiNuScenesMetric', data_root=str(tiny_root),
                                ann_file=str(infos), meta=META, **kwargs))
    metric.dataset_meta = {'classes': CLASS_NAMES}
    return metric


def test_ground_truth_through_the_models_boxes_is_perfect(tiny_root: Path, infos: Path,
                                                          tmp_path: Path) -> None:
    metric = build(tiny_root, infos, out_dir=str(tmp_path / 'out'))
    metric.process({}, [prediction(0)])
    metric.process({}, [prediction(1)])
    found = metric.evaluate(2)
    assert found['NuScenes/mAP'] == pytest.approx(1)
    # float32 boxes 40 m away: micrometres.
    assert found['NuScenes/NDS'] == pytest.approx(1, abs=1e-5)
    assert found['NuScenes/car_AP_dist_0.5'] == pytest.approx(1)
    assert 'NuScenes/traffic_cone_vel_err' not in found
    written = json.loads((tmp_path / 'out' / 'results_nusc.json').read_text())
    for step, token in enumerate(VAL_TOKENS):
        for record in written['results'][token]:
            expected_m = object_center_m(record['detection_name'], step)
            assert record['translation'] == pytest.approx(expected_m, abs=1e-5)  # z too
    summary = json.loads((tmp_path / 'out' / 'metrics_summary.json').read_text())
    assert summary['nd_score'] == found['NuScenes/NDS']
    assert summary['meta'] == META


def results_of(order: List[int], tiny_root: Path, infos: Path, out: Path) -> Dict[str, bytes]:
    """Evaluates predictions that arrive in this order; returns all files by name."""
    metric = build(tiny_root, infos, out_dir=str(out))
    metric.process({}, [prediction(step) for step in order])
    metric.evaluate(len(order))
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_order_and_padding_do_not_change_a_byte(
        tiny_root: Path, infos: Path, tmp_path: Path) -> None:
    straight = results_of([0, 1], tiny_root, infos, tmp_path / 'straight')
    shuffled = results_of([1, 0, 1], tiny_root, infos, tmp_path / 'shuffled')
    assert sorted(straight) == [
        'metrics_details.json', 'metrics_summary.json', 'results_nusc.json']
    assert straight == shuffled


def evaluate_on_rank(rank: int, world: int, port: int, arguments: Dict[str, Any]) -> None:
    """One of several processes: predicts every world-th sample and evaluates with the others."""
    torch.distributed.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank,
                                         world_size=world)
    metric = build(**arguments)
    metric.collect_dir = str(Path(arguments['out_dir']) / 'collected')
    metric.process({}, [prediction(rank)])
    found = metric.evaluate(2)
    assert found['NuScenes/mAP'] == pytest.approx(1)
    torch.distributed.destroy_process_group()


def test_two_processes_give_the_files_of_one(tiny_root: Path, infos: Path, tmp_path: Path) -> None:
    alone = results_of([0, 1], tiny_root, infos, tmp_path / 'alone')
    out = tmp_path / 'together'
    torch.multiprocessing.start_processes(
        evaluate_on_rank, nprocs=2, start_method='fork', args=(
            2, random.randint(20000, 50000),
            {'tiny_root': tiny_root, 'infos': infos, 'out_dir': str(out)}))
    together = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert together == alone


def test_a_dataset_of_another_info_file_is_named_with_both_tokens(
        tiny_root: Path, infos: Path) -> None:
    metric = build(tiny_root, infos)
    both = f'{TRAIN_TOKEN} for sample_idx 0.*{VAL_TOKENS[0]}.*infos.pkl'
    with pytest.raises(UserError, match=both):
        metric.process({}, [prediction(0, token=TRAIN_TOKEN)])


def test_a_dataset_that_is_shorter_than_the_info_file_is_refused(
        tiny_root: Path, infos: Path) -> None:
    metric = build(tiny_root, infos)
    metric.process({}, [prediction(0)])
    with pytest.raises(UserError, match='gave 1 samples, the metric expects the 2'):
        metric.evaluate(1)


def test_a_model_that_finds_nothing_scores_zero(tiny_root: Path, infos: Path) -> None:
    metric = build(tiny_root, infos)
    for step in (0, 1):
        sample = prediction(step)
        sample['pred_instances_3d'] = {
            'bboxes_3d': LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9),
            'scores_3d': torch.zeros(0), 'labels_3d': torch.zeros(0, dtype=torch.long)}
        metric.process({}, [sample])
    assert metric.evaluate(2)['NuScenes/NDS'] == 0


@pytest.mark.parametrize('kwargs, instances', [({'format_only': True}, [{}]), ({}, [])])
def test_without_annotations_or_on_demand_predictions_are_written_but_not_scored(
        tiny_root: Path, tmp_path: Path, kwargs: Dict[str, Any], instances: List[Any]) -> None:
    infos = write_infos(tmp_path / 'infos.pkl', instances=instances)
    metric = build(tiny_root, infos, out_dir=str(tmp_path / 'out'), **kwargs)
    metric.process({}, [prediction(0), prediction(1)])
    assert metric.evaluate(2) == {}
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['results_nusc.json']


def test_boxes_that_are_not_numbers_are_dropped(tiny_root: Path, infos: Path) -> None:
    metric = build(tiny_root, infos)
    samples = [prediction(0), prediction(1)]
    samples[0]['pred_instances_3d']['bboxes_3d'].tensor[0, 0] = float('nan')
    metric.process({}, samples)
    assert metric.results[0].n_degenerate == 1
    # One of two cars is gone: precision 1 up to a recall of 0.5.
    assert metric.evaluate(2)['NuScenes/car_AP'] == pytest.approx(40 / 90)


@pytest.mark.parametrize('change, message', [
    ({'meta': {'use_camera': True, 'use_lidar': True}}, 'use_radar is missing'),
    ({'meta': {**META, 'use_map': 0}}, 'meta.use_map: got 0, expected true or false'),
    ({'ann_file': 'absent.pkl'}, "absent.pkl does not exist"),
    ({'format_only': True}, 'format_only=True without out_dir')])
def test_wrong_arguments_are_named(tiny_root: Path, infos: Path, change: Dict[str, Any],
                                   message: str) -> None:
    arguments = {'data_root': str(tiny_root), 'ann_file': str(infos), 'meta': META, **change}
    with pytest.raises(ValueError, match=message):
        GeminiNuScenesMetric(**arguments)


def test_a_model_of_some_classes_in_another_order_is_scored_over_all_ten(
        tiny_root: Path, infos: Path) -> None:
    names, metric = ('pedestrian', 'car'), build(tiny_root, infos)
    metric.dataset_meta = {'classes': names}
    labels = [CLASS_NAMES.index(name) for name in names]
    for step in (0, 1):
        sample = prediction(step)
        sample['pred_instances_3d'] = {'bboxes_3d': lidar_boxes(step)[labels], 'labels_3d': torch.arange(2),
                                       'scores_3d': torch.full((2, ), 0.9)}
        metric.process({}, [sample])
    found = metric.evaluate(2)
    assert found['NuScenes/car_AP'] == found['NuScenes/pedestrian_AP'] == pytest.approx(1)
    assert found['NuScenes/bus_AP'] == 0 and found['NuScenes/mAP'] == pytest.approx(0.2)
    assert found['NuScenes/mAP_of_own_classes'] == pytest.approx(1)


@pytest.mark.parametrize('names', [('car', 'forklift'), ('car', 'car')])
def test_classes_that_nuscenes_does_not_score_are_refused(
        tiny_root: Path, infos: Path, names: Tuple[str, ...]) -> None:
    metric = build(tiny_root, infos)
    metric.dataset_meta = {'classes': names}
    with pytest.raises(UserError, match=f'does not score {names[1]!r}.*GeminiDetectionMetric'):
        metric.process({}, [prediction(0)])


def test_the_results_of_all_samples_are_free_when_the_devkit_begins(
        tiny_root: Path, infos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metric, seen = build(tiny_root, infos), []
    monkeypatch.setattr(nuscenes_metric, 'open_tables', lambda **kwargs: seen.append(
        (len(metric.results), len(results))) or open_tables(**kwargs))
    metric.process({}, [prediction(0), prediction(1)])
    results = list(metric.results)
    metric.compute_metrics(results)
    assert seen == [(0, 0)]


def test_a_disk_that_is_full_leaves_nothing_but_what_was_there(
        tiny_root: Path, infos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / 'out'
    before = results_of([0, 1], tiny_root, infos, out)

    def is_full(*_: Any, **__: Any) -> bytes:
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(submission, '_compact', is_full)
    with pytest.raises(OSError, match='No space left'):
        results_of([0, 1], tiny_root, infos, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
