"""Breakdowns: one bin is the devkit to the last bit, the parts add up, intervals are reproducible."""
import json

import numpy as np
import pytest
from nuscenes.eval.detection.constants import TP_METRICS

from gemini_lab.analysis import breakdown as module
from gemini_lab.analysis.breakdown import (Question, breakdown, match_all, part_of, questions, says,
                                           score_parts, whole)
from gemini_lab.analysis.evaluated_boxes import load_evaluated_boxes
from gemini_lab.analysis.ground_truth import _countable_boxes, _record
from geminifusion3d.results.devkit_eval import evaluate_file, open_tables

META = dict(use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False)


@pytest.fixture(scope='module')
def case(synthetic_root, tmp_path_factory):
    """Returns tables, a noisy results file of mini_train with many equal scores, and its boxes."""
    tables = open_tables(data_root=synthetic_root, version='v1.0-mini')
    rng = np.random.default_rng(3)
    results = {}
    truth = _countable_boxes(tables, 'mini_train')
    for token in truth.sample_tokens:
        records = []
        for box in truth[token]:
            for _ in range(rng.integers(0, 4)):
                record = _record(box)
                record['translation'] = (np.array(box.translation) + rng.normal(0, 0.9, 3)).tolist()
                record['velocity'] = rng.normal(0, 1, 2).tolist()
                record['size'] = (np.array(box.size) * rng.uniform(0.8, 1.2, 3)).tolist()
                record['detection_score'] = float(rng.integers(1, 8) / 8)
                records.append(record)
        results[token] = records
    path = tmp_path_factory.mktemp('breakdown') / 'results_nusc.json'
    path.write_text(json.dumps({'meta': META, 'results': results}))
    return tables, path, load_evaluated_boxes(result_path=path, tables=tables, split='mini_train')


def test_one_bin_is_the_devkit_to_the_last_bit(case):
    tables, path, evaluated = case
    official = evaluate_file(result_path=path, tables=tables, split='mini_train').summary
    only = breakdown(evaluated)['questions'][0]['bins'][0]
    assert 0.1 < only['mean_ap'] < 0.9 and len(only['classes']) >= 8
    for name, row in only['classes'].items():
        assert row['ap_by_threshold_m'] == official['label_aps'][name]
        for metric in TP_METRICS:
            expected = official['label_tp_errors'][name][metric]
            assert row['errors'][metric] == pytest.approx(expected, abs=1e-12)


def test_the_bins_of_every_question_hold_every_annotation_once(case):
    _, _, evaluated = case
    total = sum(len(boxes.annotations) for boxes in evaluated.classes)
    with_points = sum(facts.n_lidar_points > 0 for all_facts in evaluated.annotation_facts.values()
                      for facts in all_facts)
    known_speed = sum(np.isfinite(np.hypot(*box.velocity))
                      for boxes in evaluated.classes for box in boxes.annotations)
    seen = set()
    for question in breakdown(evaluated)['questions']:
        n_annotations = sum(entry['n_annotations'] for entry in question['bins'])
        expected = {'motion': known_speed, 'LiDAR points': with_points}
        assert n_annotations == expected.get(question['name'], total)
        assert all(entry['n_annotations'] == sum(row['n_annotations'] for row in entry['classes'].values())
                   for entry in question['bins'])
        seen.add(question['name'])
    assert seen == {'all', 'distance', 'motion', 'visibility', 'LiDAR points', 'light', 'weather', 'city'}


def test_a_part_by_sample_is_what_the_devkit_says_of_these_samples(case, tmp_path):
    tables, path, evaluated = case
    first = len(evaluated.tokens) // 2
    half = Question('half', ('first', 'second'),
                    lambda boxes: (boxes.annotation_sample >= first).astype(int),
                    lambda boxes: (boxes.prediction_sample >= first).astype(int))
    matched = match_all(evaluated)
    parts = [part_of(half, 0, boxes, matched[boxes.name]) for boxes in evaluated.classes]
    content = json.loads(path.read_text())
    kept = set(evaluated.tokens[:first])
    # The devkit cannot be asked about some samples of a split, so the others' annotations are taken away.
    smaller = open_tables(data_root=tables.dataroot, version='v1.0-mini')
    for row in smaller.sample:
        if row['token'] in content['results'] and row['token'] not in kept:
            row['anns'] = []
            content['results'][row['token']] = []
    file = tmp_path / 'half.json'
    file.write_text(json.dumps(content))
    official = evaluate_file(result_path=file, tables=smaller, split='mini_train').summary
    for name, row in score_parts(parts, evaluated)['classes'].items():
        assert row['ap_by_threshold_m'] == official['label_aps'][name]


def test_a_prediction_that_took_an_annotation_of_another_bin_is_no_false_positive(case):
    _, _, evaluated = case
    matched = match_all(evaluated)
    boxes = max(evaluated.classes, key=lambda one: len(one.annotations))
    first_only = Question('first', ('first', 'others'),
                          lambda one: (np.arange(len(one.annotations)) > 0).astype(int),
                          lambda one: np.ones(len(one.predictions), dtype=int))
    part = part_of(first_only, 0, boxes, matched[boxes.name])
    for threshold_m, pairs in matched[boxes.name].items():
        assert part.counts[threshold_m].sum() == (pairs.annotation_of == 0).sum() <= 1


def test_intervals_hold_the_score_and_come_back_the_same(case):
    _, _, evaluated = case
    first, again = (breakdown(evaluated, resamples=20, seed=1) for _ in range(2))
    assert first == again
    low, high = first['questions'][0]['bins'][0]['intervals']['mean_ap']
    assert low <= first['questions'][0]['bins'][0]['mean_ap'] <= high


def test_every_mean_and_every_class_has_an_interval(case):
    _, _, evaluated = case
    whole_bin = breakdown(evaluated, resamples=20)['questions'][0]['bins'][0]
    assert set(whole_bin['intervals']) == {'mean_ap', 'nd_score', *TP_METRICS}
    for name in TP_METRICS:
        low, high = whole_bin['intervals'][name]
        assert low <= whole_bin['errors'][name] <= high
    for row in whole_bin['classes'].values():
        assert row['ap_interval'][0] <= row['ap'] <= row['ap_interval'][1]


def test_finds_and_false_positives_of_the_bins_add_up_to_those_of_the_whole(case):
    _, _, evaluated = case
    by_name = {question.name: question for question in questions(evaluated)}
    matched = match_all(evaluated)
    for name in ('distance', 'light', 'weather', 'city'):
        question = by_name[name]
        for boxes in evaluated.classes:
            parts = [part_of(question, index, boxes, matched[boxes.name])
                     for index in range(len(question.bins))]
            for threshold_m, pairs in matched[boxes.name].items():
                counts = np.sum([part.counts[threshold_m] for part in parts], axis=0)
                # Every prediction counts in one bin, and a find in the bin of its object.
                assert (counts == 1).all()
                for part in parts:
                    found = pairs.annotation_of[part.counts[threshold_m] & pairs.is_match]
                    assert part.has_annotation[found].all()


def test_equal_resamples_are_scored_once_and_stand_where_they_were_drawn(case, monkeypatch):
    _, _, evaluated = case
    scored = []
    monkeypatch.setattr(module, 'score_parts',
                        lambda parts, boxes, row: scored.append(row) or {'sum': row.sum()})
    ones = np.ones(len(evaluated.tokens))
    found = module.score_resamples([], evaluated, np.stack([ones, 2 * ones, ones]))
    assert [entry['sum'] / len(ones) for entry in found] == [1, 2, 1] and len(scored) == 2


def test_a_scene_drawn_twice_counts_like_two_copies_of_it(case):
    _, _, evaluated = case
    matched = match_all(evaluated)
    parts = [part_of(whole(), 0, boxes, matched[boxes.name]) for boxes in evaluated.classes]
    once = score_parts(parts, evaluated)
    twice = score_parts(parts, evaluated, np.full(len(evaluated.tokens), 2.0))
    assert twice['mean_ap'] == pytest.approx(once['mean_ap'], abs=1e-12)
    nothing = score_parts(parts, evaluated, np.zeros(len(evaluated.tokens)))
    assert nothing['mean_ap'] is None and nothing['classes'] == {}


def test_words_are_found_by_their_beginning():
    assert says('After Rain, rainy', 'rain') and says('Night, big street', 'night')
    assert not says('Parked trains, terrain', 'rain') and not says('', 'night')


def test_questions_name_their_bins(case):
    _, _, evaluated = case
    by_name = {question.name: question for question in questions(evaluated)}
    assert by_name['distance'].bins == ('0-20 m', '20-30 m', '30-40 m', '40-50 m')
    assert by_name['LiDAR points'].bins == ('1-5', '6-10', '11-50', '51-200', '201 and more')
    assert not by_name['visibility'].sees_predictions


def test_a_visibility_that_nuscenes_does_not_have_counts_as_unknown(case, monkeypatch):
    tables, path, _ = case
    for row in tables.visibility[1:]:
        monkeypatch.setitem(row, 'level', 'hardly')
    monkeypatch.setitem(tables.visibility[0], 'token', 'moved')
    evaluated = load_evaluated_boxes(result_path=path, tables=tables, split='mini_train')
    asked = next(question for question in questions(evaluated) if question.name == 'visibility')
    found = {asked.bins[index] for boxes in evaluated.classes for index in asked.of_annotations(boxes)}
    assert found == {'unknown'}
