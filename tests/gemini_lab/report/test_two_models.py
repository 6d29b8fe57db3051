"""Two models: the first finds all cars, the second none; both find the pedestrians."""
import re
from pathlib import Path

import pytest

from gemini_lab.report.compare_section import compare_content, distances_table, figures_table
from gemini_lab.report.two_models import alone_found, bin_pairs, difference_intervals, two_models


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


def test_a_difference_is_this_minus_the_other(models):
    this, other = models.metrics
    row = re.search(r'>NDS</th>(.*?)</tr>', figures_table(models)).group(1)
    assert this.nds > other.nds
    assert f'+{this.nds - other.nds:.3f}' in row
    assert 'class="better"' in row


def test_objects_by_distance_are_counted(models):
    row = re.search(r'>0-20 m</th>(.*?)</tr>', distances_table(models)).group(1)
    # Eight objects: four pedestrians by both, four cars by the first.
    assert re.findall(r'data-order="(\d+)"', row) == ['8', '4', '4', '0', '0']


def test_the_whole_comparison_names_samples(models):
    content = compare_content(models, ('car', 'pedestrian'), lambda token: f'[{token}]')
    assert content.count('[scene-') == 4
    assert '<p class="note">None.</p>' in content
