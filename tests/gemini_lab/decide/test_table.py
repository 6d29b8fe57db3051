"""What tables, plot and verdict say of made-up runs; the command renders them and names mistakes."""
import json
from xml.etree import ElementTree

import pytest

from gemini_lab.decide.command import BLOCK
from gemini_lab.decide.fusers import FUSERS, GATES, NO_DROPOUT, choose
from gemini_lab.decide.runs import MEAN
from gemini_lab.decide.table import (compare_all, condition_table, decision_table, gate_table, svg_plot,
                                     trained_alike, verdict)
from geminifusion3d.errors import UserError

GAIN = dict(add=0.0, conv=-0.01, gemini=0.02)
# Of seeds 0 to 7; large beside the gain, and common to all fusers.
OF_SEED = (0.0, 0.1, 0.05, -0.05) * 2


def result(fuser, seed, noise=0.0):
    """Returns what a run keeps."""
    clean = 0.3 + GAIN.get(fuser, 0.0) + OF_SEED[seed] + noise
    scores = {'clean': clean, 'no-camera': clean - 0.1, 'fog': clean - 0.2}
    return dict(variant=fuser, seed=seed, scores=dict(report=scores, tune=scores), fuser_parameters=1000,
                resampled={'clean': [clean - 0.01, clean + 0.01], MEAN: [clean - 0.2, clean - 0.1]})


RESULTS = [result(fuser, seed, noise) for fuser in GAIN
           for seed, noise in enumerate((0.001, -0.001, 0.002, 0.0) if fuser == 'gemini' else (0.0,) * 4)]
MANY = [*RESULTS, *({**one, 'seed': one['seed'] + 4} for one in RESULTS)]


def test_what_seeds_share_does_not_count():
    found = compare_all(RESULTS, 'add', 'clean')
    assert list(found) == ['conv', 'gemini']
    assert found['gemini'].difference.mean == pytest.approx(0.0205) and found['gemini'].is_above
    assert found['gemini'].difference.spread == pytest.approx(0.00129, abs=1e-5)
    # Both fusers' resamples move together.
    assert found['gemini'].scenes == pytest.approx(0.0, abs=1e-9)
    assert not found['conv'].is_above


def test_the_mean_is_over_the_other_conditions():
    table = decision_table(RESULTS, MEAN)
    # 0.3 + 0.025 - 0.15 and its deviation over the seeds.
    assert '| addition | 4 | 0.175 ± 0.065 | – | – | – | **+0.010 [+0.010' in table
    assert len({line.count('|') for line in table.splitlines()}) == 1


def test_the_verdict_names_who_is_ahead_and_says_when_nobody_is():
    assert 'ahead of both references: GeminiFusion as published (+0.021 [+0.020' in verdict(MANY)
    assert 'Not decided yet:** no fuser has 8 seeds beside addition, 4 at most' in verdict(RESULTS)
    nobody = [one for one in MANY if one['variant'] != 'gemini']
    nobody += [result('gemini-no-relation', seed, noise) for seed, noise in enumerate((0.1, -0.1) * 4)]
    assert 'On clean mAP, no fuser is ahead of both addition and convolution.' in verdict(nobody)


def test_runs_without_dropout_are_compared_among_themselves():
    # Addition gains 0.05 without dropout; GeminiFusion is 0.02 ahead of it all the same, by both metrics.
    without = [{**one, 'variant': one['variant'] + NO_DROPOUT, 'scores': dict(report={
        name: value + 0.05 for name, value in one['scores']['report'].items()})} for one in MANY]
    text = verdict([*MANY, *without])
    assert text.count('ahead of both references: GeminiFusion as published (+0.021 [+0.020') == 4
    assert text.index('Without dropout of sensors in training, on clean mAP') > text.index('mean mAP')
    alike = trained_alike([*MANY, *without])
    assert [{one['variant'] for one in runs} for runs in alike.values()] == [set(GAIN), set(GAIN)]
    assert ' | 0.375 ± ' in decision_table(alike['Without dropout of sensors in training'], 'clean')
    assert 'convolution, no dropout' in svg_plot([*MANY, *without])
    # Seeds are counted among the runs that are compared.
    few = verdict([*MANY, *without[:12]])
    assert 'in training: **Not decided yet:** no fuser has 8 seeds beside addition, 4 at most' in few
    assert verdict(without).startswith('**Synthetic world, small models.** Without dropout of sensors')


def test_conditions_and_gates_are_means_of_common_seeds():
    more = [*RESULTS, result('gemini-no-relation', 1)]
    lines = condition_table(more).splitlines()
    assert '1 seeds' in lines[0] and lines[2].startswith('| Clean | 0.400 | 0.390 |')
    assert gate_table(RESULTS) == ''
    cells = [name + ending for name in GATES for ending in (NO_DROPOUT, '')]
    whole = [{**result(name, 0), 'scores': dict(report=dict.fromkeys(
        ('clean', 'no-camera', 'no-lidar', 'black-cameras', 'empty-lidar'), 0.1 + place / 10))}
        for place, name in enumerate(cells)]
    assert '| addition | without | 0.100 |' in gate_table(whole) and '| 0.400 |' in gate_table(whole)


def test_the_plot_is_an_image_and_twice_the_same():
    text = svg_plot(RESULTS)
    ElementTree.fromstring(text)
    assert text == svg_plot(RESULTS) and 'GeminiFusion as published' in text


def test_the_names_of_the_colours_stand_above_the_first_interval():
    texts = ElementTree.fromstring(svg_plot(MANY)).findall('.//{*}text')
    height = {text.text: float(text.get('y')) for text in texts if text.get('y')}
    assert height['mean mAP over the other conditions'] < height['convolution'] - 9


def test_fusers_are_chosen_by_name():
    assert choose(['gemini', 'add']) == ['add', 'gemini'] and choose([]) == list(FUSERS)
    with pytest.raises(UserError, match='called nothing; expected some of add, conv'):
        choose(['nothing'])


WORLDS = {name: dict(keyframes=9, scenes=3) for name in ('train', 'tune', 'report')}
FACTS = dict(power=['clean mAP: enough'], worlds=WORLDS,
             plan=dict(seeds_per_group=4, epochs=6, steps=250, batch_size=4, copies=3, absent_prob=0.2,
                       resamples=2, reach_m=30.0))


def test_kept_runs_are_rendered_and_twice_gives_the_same_bytes(tmp_path, gemini3d):
    page, docs = tmp_path / 'page.md', tmp_path / 'docs'
    page.write_text(f'# Title\n<!-- {BLOCK}:start -->\n<!-- {BLOCK}:end -->\nend\n')
    docs.mkdir()
    runs = [*MANY, *({**one, 'variant': one['variant'] + NO_DROPOUT} for one in MANY)]
    (docs / 'does_it_pay.json').write_text(json.dumps(dict(facts=FACTS, runs=runs)))
    places = ['--page', page, '--docs', docs, '--work-dir', tmp_path / 'work']
    written = []
    for _ in range(2):
        ended = gemini3d('decide', '--render-only', *places)
        assert ended.returncode == 0, ended.stderr
        written.append([file.read_bytes() for file in (page, *sorted(docs.iterdir()))])
    assert written[0] == written[1]
    text = page.read_text()
    assert '**Synthetic world, small models.** On clean mAP, ahead' in text
    assert 'Before the runs: clean mAP: enough.' in text
    assert '\n\nWithout dropout of sensors in training:\n\n| fuser |' in text
    # Two metrics for each way of training.
    assert text.count('| addition | 8 |') == 4
    (docs / 'does_it_pay.json').unlink()
    ended = gemini3d('decide', '--render-only', *places)
    assert ended.returncode == 2 and 'train first' in ended.stderr
    ended = gemini3d('decide', '--only', 'nothing', *places, '--jobs', 0)
    assert ended.returncode == 2 and 'must be at least 1' in ended.stderr
