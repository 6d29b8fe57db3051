"""The analysis of a stranger's predictions on official labels agrees with the numbers that were published."""
import json
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
import pytest
from nuscenes import NuScenes
from nuscenes.eval.detection.constants import TP_METRICS
from real_data import real_data

from gemini_lab.analysis.breakdown import breakdown
from gemini_lab.analysis.compare_predictions import compare_files
from gemini_lab.analysis.evaluated_boxes import EvaluatedBoxes, load_evaluated_boxes
from gemini_lab.analysis.ground_truth import score_ground_truth
from gemini_lab.analysis.prediction_file import read_with_findings
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.devkit_eval import open_tables

VERSION, SPLIT = 'v1.0-mini', 'mini_val'
# After all of the devkit's filters.
N_ANNOTATIONS = 3393


@pytest.fixture(scope='module')
def case() -> Tuple[NuScenes, Path, Dict[str, Any], EvaluatedBoxes]:
    """Tables, results file, published summary, and the boxes that count."""
    folder = real_data('third_party_submission')
    tables = open_tables(data_root=real_data('nuscenes_mini_val_tables'), version=VERSION)
    path = folder / 'results_nusc.json'
    return (tables, path, json.loads((folder / 'metrics_summary.json').read_text()),
            load_evaluated_boxes(result_path=path, tables=tables, split=SPLIT))


def test_the_whole_is_what_was_published_and_the_parts_add_up(case: Any) -> None:
    _, _, published, evaluated = case
    found = breakdown(evaluated)
    whole = found['questions'][0]['bins'][0]
    assert whole['n_annotations'] == N_ANNOTATIONS
    compared = 0
    for name in CLASS_NAMES:
        row = whole['classes'].get(name)
        if row is None:
            # A class without annotations: the devkit counts it as not found at all.
            assert set(published['label_aps'][name].values()) == {0.0}
            continue
        assert row['ap_by_threshold_m'] == pytest.approx(published['label_aps'][name], abs=1e-9)
        assert row['ap'] == pytest.approx(published['mean_dist_aps'][name], abs=1e-9)
        for metric in TP_METRICS:
            expected = published['label_tp_errors'][name][metric]
            assert row['errors'][metric] == (
                None if np.isnan(expected) else pytest.approx(expected, abs=1e-9))
        compared += 10
    assert compared >= 70
    aps = [whole['classes'][name]['ap'] if name in whole['classes'] else 0.0 for name in CLASS_NAMES]
    assert np.mean(aps) == pytest.approx(published['mean_ap'], abs=1e-9)
    n_moving_or_not = sum(bool(np.isfinite(box.velocity).all())
                          for boxes in evaluated.classes for box in boxes.annotations)
    n_with_points = sum(facts.n_lidar_points > 0
                        for rows in evaluated.annotation_facts.values() for facts in rows)
    expected = {'motion': n_moving_or_not, 'LiDAR points': n_with_points}
    for question in found['questions']:
        counts = sum(part['n_annotations'] for part in question['bins'])
        assert counts == expected.get(question['name'], N_ANNOTATIONS), question['name']


def test_the_labels_themselves_score_one_where_a_class_has_any(case: Any, tmp_path: Path) -> None:
    score = score_ground_truth(tables=case[0], split=SPLIT, folder=tmp_path)
    summary = score.evaluation.summary
    assert score.n_boxes >= N_ANNOTATIONS
    for name in CLASS_NAMES:
        expected = 0 if name in score.absent_classes else 1
        assert summary['mean_dist_aps'][name] == pytest.approx(expected, abs=1e-9)
        if expected:
            assert all(error is None or error == pytest.approx(0, abs=1e-6)
                       for error in summary['label_tp_errors'][name].values()), name


def test_a_comparison_counts_every_label_once(case: Any, tmp_path: Path) -> None:
    tables, path, _, _ = case
    score_ground_truth(tables=tables, split=SPLIT, folder=tmp_path)
    result = compare_files(path, tmp_path / f'ground_truth_{SPLIT}.json', tables=tables, split=SPLIT)
    rows = result['classes'].values()
    assert sum(row['objects'] for row in rows) == N_ANNOTATIONS
    assert all(row['both'] + row['only_a'] + row['only_b'] + row['neither'] == row['objects'] for row in rows)
    # The labels miss nothing, so nothing is found by the stranger alone.
    assert sum(row['only_a'] + row['neither'] for row in rows) == 0 and sum(row['both'] for row in rows) > 100
    assert sum(row['objects'] for row in result['distances'].values()) == N_ANNOTATIONS


def test_the_same_file_twice_differs_in_nothing(case: Any) -> None:
    tables, path, _, _ = case
    result = compare_files(path, path, tables=tables, split=SPLIT)
    assert result['objects'] == []
    file, log = read_with_findings(path)
    assert len(file.scores) == 905 and len(file.tokens) == 81 and not log.counts['error']
