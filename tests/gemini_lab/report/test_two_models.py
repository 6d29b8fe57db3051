"""Two models: the first finds all cars, the second none; both find the pedestrians."""
from pathlib import Path

import pytest

from gemini_lab.report.analysis import alone_found, bin_pairs, difference_intervals, two_models


def test_what_one_alone_found_is_listed(models):
    assert [(row['class'], row['score']) for row in alone_found(models, 'only_a')] == [('car', 0.9)] * 4
    assert alone_found(models, 'only_b') == []


def test_alike_scenes_make_a_difference_without_spread(models):
    this, other = models.metrics
    low, high = difference_intervals(models)['mean_ap']
    assert low == pytest.approx(this.mean_ap - other.mean_ap, abs=1e-9)
    assert high == pytest.approx(low, abs=1e-9)


def test_bins_are_paired_by_name(models):
    pairs = bin_pairs(models)
    assert all(this['name'] == other['name'] for _, this, other in pairs)
    assert 'all' not in {question for question, _, _ in pairs}
    assert len(pairs) == sum(len(question['bins']) for question in
                             models.analyses[0].breakdown['questions'][1:])


def test_models_are_named_by_their_folders_or_paths(models):
    named = two_models((Path('a/demo'), Path('b/other')), models.metrics, models.analyses)
    assert named.names == ('demo', 'other')
    same = two_models((Path('a/demo'), Path('b/demo')), models.metrics, models.analyses)
    assert same.names == ('a/demo', 'b/demo')
