"""Scores of the hand-made dataset: closed-form errors, and the devkit's own command line."""
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from nuscenes import NuScenes
from ten_objects import VERSION

from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import Evaluation, evaluate_file, format_table, open_tables

Record = Dict[str, Any]


@pytest.fixture(scope='module')
def tables(tiny_root: Path) -> NuScenes:
    """The opened tables."""
    return open_tables(data_root=tiny_root, version=VERSION)


@pytest.fixture
def score(tables: NuScenes, tmp_path: Path, perfect: Dict[str, Any]) -> Callable[..., Evaluation]:
    """Scores the perfect submission after a change to each of its records."""
    def change_and_score(change: Callable[[Record], None], split: str = 'mini_val') -> Evaluation:
        for records in perfect['results'].values():
            for record in records:
                change(record)
        path = tmp_path / 'results.json'
        path.write_text(json.dumps(perfect))
        return evaluate_file(result_path=path, tables=tables, split=split)
    return change_and_score


def nothing(record: Record) -> None:
    """Leaves a record as it is."""


def shift_by(offset_m: float) -> Callable[[Record], None]:
    """Moves a record along x."""
    def change(record: Record) -> None:
        record['translation'][0] += offset_m
    return change


def test_ground_truth_is_perfect(score: Callable[..., Evaluation]) -> None:
    summary = score(nothing).summary
    assert summary['mean_ap'] == pytest.approx(1)
    assert summary['nd_score'] == pytest.approx(1)
    assert summary['tp_errors'] == pytest.approx(dict.fromkeys(summary['tp_errors'], 0), abs=1e-9)


def test_a_shift_of_30_cm_is_a_translation_error_of_30_cm(
        score: Callable[..., Evaluation]) -> None:
    summary = score(shift_by(0.3)).summary
    assert summary['mean_ap'] == pytest.approx(1)
    assert summary['tp_errors']['trans_err'] == pytest.approx(0.3)
    # (5 * mAP + 4 perfect scores + (1 - 0.3)) / 10
    assert summary['nd_score'] == pytest.approx(0.97)


def test_a_shift_of_70_cm_loses_the_threshold_of_half_a_metre(
        score: Callable[..., Evaluation]) -> None:
    summary = score(shift_by(0.7)).summary
    assert summary['label_aps']['car'] == pytest.approx({'0.5': 0, '1.0': 1, '2.0': 1, '4.0': 1})
    assert summary['mean_ap'] == pytest.approx(0.75)
    assert summary['nd_score'] == pytest.approx((5 * 0.75 + 4 + 0.3) / 10)


def test_a_turned_box_has_that_orientation_error(score: Callable[..., Evaluation]) -> None:
    def turn(record: Record) -> None:
        record['rotation'] = [math.cos(0.3), 0, 0, math.sin(0.3)]  # yaw 0.6 instead of 0.4
    assert score(turn).summary['tp_errors']['orient_err'] == pytest.approx(0.2)


def test_only_a_barrier_may_be_turned_round(score: Callable[..., Evaluation]) -> None:
    def turn_round(record: Record) -> None:
        w, _, _, z = record['rotation']
        record['rotation'] = [-z, 0, 0, w]  # another half turn about z
    errors = score(turn_round).summary['label_tp_errors']
    assert errors['barrier']['orient_err'] == pytest.approx(0)
    assert errors['car']['orient_err'] == pytest.approx(math.pi)


def test_a_box_larger_by_a_tenth_has_the_scale_error_of_its_volume(
        score: Callable[..., Evaluation]) -> None:
    def grow(record: Record) -> None:
        record['size'] = [1.1 * side for side in record['size']]
    # 1 - IoU of nested boxes = 1 - 1 / 1.1^3
    assert score(grow).summary['tp_errors']['scale_err'] == pytest.approx(1 - 1 / 1.331)


def test_a_velocity_off_by_3_and_4_tenths_has_an_error_of_half_a_metre_per_second(
        score: Callable[..., Evaluation]) -> None:
    def accelerate(record: Record) -> None:
        record['velocity'] = [record['velocity'][0] + 0.3, record['velocity'][1] - 0.4]
    assert score(accelerate).summary['tp_errors']['vel_err'] == pytest.approx(0.5)


def test_height_does_not_count(score: Callable[..., Evaluation]) -> None:
    def lift(record: Record) -> None:
        record['translation'][2] += 5
    assert score(lift).summary['nd_score'] == pytest.approx(1)


def test_a_custom_split_is_scored(score: Callable[..., Evaluation]) -> None:
    assert score(nothing, split='night').summary['nd_score'] == pytest.approx(1)


def test_no_boxes_at_all_score_as_boxes_that_are_all_out_of_range(
        tables: NuScenes, tmp_path: Path, perfect: Dict[str, Any],
        score: Callable[..., Evaluation]) -> None:
    far = score(shift_by(90.0))
    path = tmp_path / 'empty.json'
    nothing_found = {token: [] for token in perfect['results']}
    path.write_text(json.dumps({**perfect, 'results': nothing_found}))
    empty = evaluate_file(result_path=path, tables=tables, split='mini_val')
    assert empty == far
    assert empty.summary['nd_score'] == 0


def test_the_summary_is_strict_json_without_the_time_it_took(
        score: Callable[..., Evaluation]) -> None:
    evaluation = score(nothing)
    json.dumps([evaluation.summary, evaluation.details], allow_nan=False)
    assert 'eval_time' not in evaluation.summary
    assert evaluation.summary['label_tp_errors']['traffic_cone']['vel_err'] is None
    assert len(evaluation.details['car:0.5']['precision']) == 101


def test_nothing_is_printed(
        score: Callable[..., Evaluation], capfd: pytest.CaptureFixture) -> None:
    capfd.readouterr()
    score(nothing)
    assert capfd.readouterr() == ('', '')


def test_numbers_are_those_of_the_devkits_command_line(
        score: Callable[..., Evaluation], tiny_root: Path, tmp_path: Path) -> None:
    def disturb(record: Record) -> None:
        shift_by(0.2 * (len(record['detection_name']) % 5))(record)
        record['detection_score'] = 1 / len(record['detection_name'])
        record['velocity'] = [0.1, 0.2]
    evaluation = score(disturb)
    subprocess.run(
        [sys.executable, '-m', 'nuscenes.eval.detection.evaluate', tmp_path / 'results.json',
         '--output_dir', tmp_path / 'cli', '--eval_set', 'mini_val', '--dataroot', tiny_root,
         '--version', VERSION, '--plot_examples', '0', '--render_curves', '0'],
        check=True, capture_output=True)
    summary = json.loads((tmp_path / 'cli' / 'metrics_summary.json').read_text(),
                         parse_constant=lambda name: None)
    del summary['eval_time']
    assert 0 < summary['mean_ap'] < 1
    assert evaluation.summary == summary
    details = json.loads((tmp_path / 'cli' / 'metrics_details.json').read_text())
    assert evaluation.details == details


def test_the_table_names_each_class_and_leaves_undefined_errors_out(
        score: Callable[..., Evaluation]) -> None:
    lines = format_table(score(shift_by(0.3)).summary).splitlines()
    assert lines[0].split() == ['class', 'AP', 'ATE', 'ASE', 'AOE', 'AVE', 'AAE']
    cone = next(line for line in lines if line.startswith('traffic_cone'))
    assert cone.split() == ['traffic_cone', '1.000', '0.300', '0.000', '-', '-', '-']
    assert lines[-1] == 'mAP 1.0000   NDS 0.9700'


def test_a_version_that_is_not_there_is_named(tiny_root: Path) -> None:
    with pytest.raises(UserError, match='no folder v1.0-trainval'):
        open_tables(data_root=tiny_root, version='v1.0-trainval')
