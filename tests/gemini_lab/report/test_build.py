"""What goes into the page: which samples and why, their boxes, the head, files of the robustness command."""
import json
from types import SimpleNamespace

import pytest

from gemini_lab.report.build import (LOWEST_SCORE, ReportRequest, choose_samples, head_facts, read_cards,
                                     read_robustness, suite_note, warn_of_another_model)
from gemini_lab.report.dataset import read_results, truth_boxes
from gemini_lab.report.metric_files import read_metrics
from gemini_lab.report.tables import modalities_table, suite_tables
from gemini_lab.report.training_log import TrainingLog
from gemini_lab.report.verdicts import SampleErrors
from gemini_lab.robustness.evaluations import modality_rows
from gemini_lab.robustness.suite import RobustnessReport
from geminifusion3d.errors import UserError

SPLIT = {'x': ['a', 'b', 'c'], 'y': ['d']}
RESULTS = dict.fromkeys('abcd', [])
WORST = [SampleErrors('b', 5, 3, 1), SampleErrors('d', 5, 0, 2)]
TOKEN = 'scene-0103-a'
SCORES = {'clean': {'mAP': 0.4, 'NDS': 0.5},
          'fog-1': {'mAP': 0.4, 'NDS': 0.5}, 'fog-3': {'mAP': 0.2, 'NDS': 0.25},
          'dark-1': {'mAP': 0.3, 'NDS': 0.4}, 'dark-3': {'mAP': 0.1, 'NDS': 0.1}}
SUITE = RobustnessReport(SCORES, ['fog', 'dark'], [1, 3], ['dark']).to_json()


def asked(samples=0, worst=0, tokens=(), folder='x'):
    return ReportRequest(metrics_dir=folder, dataroot='data', version='v1.0-mini', split='mini_val',
                         num_samples=samples, num_worst=worst, sample_tokens=tokens)


def choose(request, results=RESULTS, errors=(), worst=WORST, models=None, split=SPLIT):
    return choose_samples(request, split, results, errors, worst, models)


def test_the_best_comes_first_then_the_worst_and_none_twice():
    # Found and not false: 5 - 0 - 0 of c against 1 of b and 3 of d.
    chosen = choose(asked(9, 1), errors=[*WORST, SampleErrors('c', 5, 0, 0)])
    assert [token for token, _ in chosen] == ['c', 'b', 'a', 'd']
    assert [reason for _, reason in chosen[:2]] == ['Most objects found', 'Among the worst']


def test_the_user_has_the_last_word():
    assert choose(asked(9, 9, ['c', 'a'])) == [('c', 'Chosen'), ('a', 'Chosen')]


def test_samples_without_predictions_are_not_chosen():
    assert [token for token, _ in choose(asked(9), results={'a': []})] == ['a']


def test_samples_in_which_two_models_differ_are_shown(models):
    chosen = choose(asked(0, 4), results={}, worst=[], models=models, split={})
    assert [token for token, _ in chosen] == ['scene-0103-a', 'scene-0103-b']
    assert '1 object found by' in chosen[0][1]


def test_a_card_has_the_boxes_of_both_models_and_the_verdicts(tiny_nusc, metrics_dir, analysis, models):
    card, = read_cards(tiny_nusc, [(TOKEN, 'why')], truth_boxes(tiny_nusc, [TOKEN]),
                       read_results(metrics_dir / 'results_nusc.json'), analysis, models, 0.3)
    assert (card.reason, card.counts) == ('why', '2 objects, 2 predictions from 0.30, 0 missed, 0 false')
    assert [box.detection_score for box in card.sample.predictions] == [0.9, 0.4, 0.1]
    assert [box.detection_score for box in card.sample.other_predictions] == [0.8, 0.6]
    # Boxes that were loaded apart from the matching are recognised.
    assert [card.sample.verdicts.found_from(box) for box in card.sample.truth] == [0.9, 0.4]


def test_hopeless_predictions_are_not_drawn(tiny_nusc, metrics_dir):
    results = read_results(metrics_dir / 'results_nusc.json')
    records = [{**results[TOKEN][0], 'detection_score': score} for score in (0.9, LOWEST_SCORE / 2)]
    card, = read_cards(tiny_nusc, [(TOKEN, 'why')], {TOKEN: []}, {TOKEN: records}, None, None, 0.3)
    assert [box.detection_score for box in card.sample.predictions] == [0.9]
    assert card.counts == '0 objects, 1 prediction from 0.30'


def test_the_head_says_what_the_work_directory_knows(metrics_dir, tmp_path):
    (tmp_path / 'test_run.json').write_text(json.dumps({
        'checkpoint': {'path': 'somewhere/epoch_18.pth'}, 'test_time_augmentation': ['flip'],
        'learned_samples': dict(scored=4, learned=3, sources=['a (9 samples)'], unknown=[])}))
    (tmp_path / 'metrics_summary.json').write_text((metrics_dir / 'metrics_summary.json').read_text())
    (tmp_path / 'my_recipe.py').write_text('')
    log = TrainingLog(losses={'loss': [(1, 2.0), (1440, 1.0)]}, seconds=1200)
    facts = dict(head_facts(asked(folder=tmp_path), read_metrics(tmp_path), SPLIT, log))
    assert facts['dataset'] == 'v1.0-mini, mini_val: 2 scenes, 4 samples'
    assert (facts['config'], facts['checkpoint']) == ('my_recipe', 'epoch_18.pth')
    assert facts['trained'] == '1,440 iterations in 20 min' and facts['test-time augmentation'] == 'flip'
    assert len(facts['evaluated']) == 10 and facts['sensors'] == 'camera + LiDAR'
    assert facts['learned samples'].startswith('3 of 4 scored samples were learned (from a (9 samples))')
    (tmp_path / 'test_run.json').write_text('{}')
    facts = dict(head_facts(asked(folder=tmp_path), read_metrics(tmp_path), SPLIT, log))
    assert 'learned samples' not in facts


def texts(table):
    return [[cell.text for cell in row] for _, rows in table.groups for row in rows]


def test_files_of_the_robustness_command_are_found_beside_the_metrics(tmp_path):
    assert read_robustness(tmp_path) == (None, None)
    rows = modality_rows({'clean': SCORES['clean'], 'lidar-empty': SCORES['dark-3']})
    for name, content in (('robustness', SUITE), ('modalities', rows)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f'{name}.json').write_text(json.dumps(content))
    suite, modalities = read_robustness(tmp_path)
    assert suite == SUITE
    assert texts(modalities_table(modalities))[1] == ['LiDAR empty', '0.100', '−0.400', '0.100', '−0.300']


def test_a_part_of_the_suite_is_no_published_mean():
    note, (scores, published) = suite_note(SUITE), suite_tables(SUITE)
    assert 'not the published mean' in note and 'model does not read: Darkness' in note
    # RA of NDS: fog (1 + 0.5) / 2, dark (0.8 + 0.2) / 2; their mean 0.625.
    assert [row[1] for row in texts(scores)] == ['0.750', '0.500'] and 'NDS 0.625' in note
    assert texts(published)[0][:3] == ['this model', '0.500', '–']


def test_a_score_of_zero_is_drawn():
    zeros = {name: {'mAP': 0.0, 'NDS': 0.0} for name in SCORES}
    suite = RobustnessReport(zeros, ['fog'], [1], []).to_json()
    assert texts(suite_tables(suite)[0])[0][1] == '–'


def test_another_file_is_refused(tmp_path):
    (tmp_path / 'robustness.json').write_text('{"clean": {}}')
    with pytest.raises(UserError, match='not a file of gemini3d robustness'):
        read_robustness(tmp_path)
    with pytest.raises(UserError, match='cannot read'):
        read_robustness(tmp_path, tmp_path / 'nowhere.json')


@pytest.mark.parametrize('nds, said', [(0.5, False), (0.4, True)])
def test_a_suite_of_another_model_is_said(nds: float, said: bool, capsys: pytest.CaptureFixture) -> None:
    warn_of_another_model(SimpleNamespace(nds=0.5), {'clean': {'NDS': nds}})
    assert ('another checkpoint' in capsys.readouterr().err) == said
