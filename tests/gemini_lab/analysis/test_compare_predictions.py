"""Objects found by one file alone are exactly those that were taken from the other."""
import json
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from ten_objects import EGO_XYZ_M, VAL_TOKENS, VERSION, object_center_m, perfect_submission

from gemini_lab.analysis.compare_predictions import best_f1_score, compare_files, format_comparison
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.results.devkit_eval import open_tables


def compared(tiny_root: Path, folder: Path, a: Dict[str, Any], b: Dict[str, Any], **options: Any) -> Dict:
    paths = [folder / name for name in ('a.json', 'b.json')]
    for path, content in zip(paths, (a, b)):
        path.write_text(json.dumps(content))
    tables = open_tables(data_root=tiny_root, version=VERSION)
    return compare_files(*paths, tables=tables, split='mini_val', **options)


def test_the_difference_is_what_was_changed(tiny_root: Path, tmp_path: Path) -> None:
    a, b = perfect_submission(), perfect_submission()
    # A misses both buses and shifts the second car by 1 m; B misses the first car, adds a far bicycle.
    for token in VAL_TOKENS:
        a['results'][token] = [one for one in a['results'][token] if one['detection_name'] != 'bus']
    a['results'][VAL_TOKENS[1]][CLASS_NAMES.index('car')]['translation'][0] += 1.0
    b['results'][VAL_TOKENS[0]] = b['results'][VAL_TOKENS[0]][1:]
    bicycle = b['results'][VAL_TOKENS[0]][CLASS_NAMES.index('bicycle') - 1]
    assert bicycle['detection_name'] == 'bicycle'
    b['results'][VAL_TOKENS[0]].append({**bicycle, 'translation': [110.0, 215.0, 1.0]})
    result = compared(tiny_root, tmp_path, a, b)
    found = {(row['found_by'], row['class'], row['sample_token']) for row in result['objects']}
    assert found == {('only_b', 'bus', VAL_TOKENS[0]), ('only_b', 'bus', VAL_TOKENS[1]),
                     ('only_a', 'car', VAL_TOKENS[0])}
    car, bus, bicycles = (result['classes'][name] for name in ('car', 'bus', 'bicycle'))
    assert [car[name] for name in ('objects', 'both', 'only_a', 'only_b', 'neither')] == [2, 1, 1, 0, 0]
    # The car that both found is the shifted one.
    assert (car['errors_a']['trans_err'], car['errors_b']['trans_err']) == (pytest.approx(1), 0)
    assert (bus['only_b'], bus['errors_a'], bicycles['false_positives_b']) == (2, {}, 1)
    row = next(row for row in result['objects'] if row['class'] == 'car')
    assert row['translation'] == object_center_m('car', 0) and row['score'] == 0.9
    assert row['distance_m'] == pytest.approx(np.hypot(*np.subtract(row['translation'], EGO_XYZ_M)[:2]))
    assert (row['n_lidar_points'], row['visibility']) == (5, 'v80-100')
    # VAL_TOKENS[0] differs in a car and a bus.
    assert result['samples'] == [{'sample_token': VAL_TOKENS[0], 'only_a': 1, 'only_b': 1},
                                 {'sample_token': VAL_TOKENS[1], 'only_a': 0, 'only_b': 1}]
    # 20 objects within 20 m.
    near = result['distances']['0-20 m']
    assert (near['objects'], near['both'], near['only_a'], near['only_b']) == (20, 17, 1, 2)
    text = format_comparison(result)
    assert 'only A 1, only B 1' in text and 'only b' in text
    assert json.loads(json.dumps(result)) == result


def test_the_same_file_twice_has_no_difference(tiny_root: Path, tmp_path: Path) -> None:
    result = compared(tiny_root, tmp_path, perfect_submission(), perfect_submission())
    assert result['objects'] == [] and all(row['both'] == 2 for row in result['classes'].values())
    assert 'Both files found the same objects.' in format_comparison(result)


def test_a_given_score_decides_what_is_a_find(tiny_root: Path, tmp_path: Path) -> None:
    weak = perfect_submission()
    for record in weak['results'][VAL_TOKENS[0]]:
        record['detection_score'] = 0.2
    alone = compared(tiny_root, tmp_path, perfect_submission(), weak, min_score=0.3)
    assert len(alone['objects']) == 10 and {row['found_by'] for row in alone['objects']} == {'only_a'}
    assert compared(tiny_root, tmp_path, perfect_submission(), weak)['objects'] == []


@pytest.mark.parametrize('scores, is_match, n_annotations, expected', [
    # F1 = 2 TP / (predictions + objects): 2/3, 2/4, 4/5, 4/6.
    ([0.9, 0.8, 0.7, 0.1], [1, 0, 1, 0], 2, 0.7),
    # Equal scores come or go together: 2/(2+1) only once both count; 0.9 alone gives 0.
    ([0.9, 0.5, 0.5], [0, 1, 0], 1, 0.5),
    ([0.9], [0], 3, 0.0), ([], [], 3, 0.0)])
def test_the_best_score_has_the_highest_f1(scores, is_match, n_annotations, expected):
    assert best_f1_score(np.array(scores), np.array(is_match, dtype=bool), n_annotations) == expected
