"""The suite with an evaluator that knows its scores: what is run, and what the three reports say."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from gemini_lab.corruptions.catalogue import CATALOGUE, CORRUPTIONS, FAILURES
from gemini_lab.jobs import Results
from gemini_lab.robustness.published import MOME_NDS, PUBLISHED
from gemini_lab.robustness.suite import (RobustnessReport, condition_name, resistance, run_suite,
                                         suite_conditions, write_report)

DEMO = Path(__file__).resolve().parents[3] / 'configs' / 'demo'
ALL, LEVELS = list(CORRUPTIONS), [1, 2, 3]


SCORES = {'clean': dict(mAP=0.5, NDS=0.8),
          'fog-1': dict(mAP=0.5, NDS=0.6), 'fog-2': dict(mAP=0.25, NDS=0.4),
          'fog-3': dict(mAP=0.0, NDS=0.2), 'dark-1': dict(mAP=0.4, NDS=0.8),
          'dark-2': dict(mAP=0.4, NDS=0.8), 'dark-3': dict(mAP=0.4, NDS=0.4)}
# MultiCorrupt's NDS of CMT, clean 0.729, severities 1 to 3 (its evaluation/evaluations_nds.csv).
CMT = {'beamsreducing': (0.6826, 0.5873, 0.4497), 'brightness': (0.7038, 0.6852, 0.6605),
       'dark': (0.7051, 0.6904, 0.6786), 'fog': (0.6974, 0.6527, 0.4134),
       'missingcamera': (0.718, 0.7109, 0.7009), 'motionblur': (0.6886, 0.6154, 0.5357),
       'pointsreducing': (0.7012, 0.6834, 0.638), 'snow': (0.6483, 0.619, 0.5554),
       'spatialmisalignment': (0.6462, 0.586, 0.5367), 'temporalmisalignment': (0.6572, 0.568, 0.4988)}


def recipe(sensors: str = 'lidar-cam') -> Config:
    return Config.fromfile(DEMO / f'geminifusion3d_tiny_{sensors}_synthetic-mini.py')


def evaluate(cfg: Config, folder: Path) -> dict:
    """Severity s keeps 1 - 0.1 s of the NDS and 1 - 0.2 s of the mAP, whatever the corruption."""
    step = cfg.test_dataloader.dataset.pipeline[0]
    severity = step.get('severity', 0)
    assert folder.name == (f'{step["corruption"]}-{severity}' if severity else 'clean')
    return dict(mAP=0.4 * (1 - 0.2 * severity), NDS=0.5 * (1 - 0.1 * severity))


@pytest.fixture
def report(tmp_path: Path) -> RobustnessReport:
    book = Results(tmp_path / 'scores.json', {})
    return run_suite(recipe(), book, evaluate, corruptions=ALL, severities=LEVELS, say=str)


def test_the_clean_evaluation_comes_first_then_each_corruption_at_each_severity():
    names = [one.name for one in suite_conditions(recipe(), ALL, LEVELS)]
    assert len(names) == 31
    assert names[:4] == ['clean', 'beamsreducing-1', 'beamsreducing-2', 'beamsreducing-3']


def test_resistance_follows_from_the_scores(report):
    assert report.of('NDS').mean == pytest.approx(0.8) and report.of('mAP').mean == pytest.approx(0.6)
    content = report.to_json()
    assert content['is_whole'] and content['clean'] == dict(mAP=0.4, NDS=0.5)
    assert content['scores']['fog']['2'] == dict(mAP=pytest.approx(0.24), NDS=pytest.approx(0.4))
    assert content['resistance']['NDS']['RA']['snow'] == pytest.approx(0.8)


def test_the_terminal_shows_a_line_a_corruption(report):
    lines = report.to_terminal().splitlines()
    assert len(lines) == 13
    fog = next(line for line in lines if line.startswith('Fog'))
    assert fog.split() == ['Fog', '0.600', '0.800', '0.320', '0.240', '0.160', '0.450', '0.400', '0.350']
    assert lines[-1].split() == ['mean', '(mRA)', '0.600', '0.800']


def test_the_model_stands_beside_the_published_ones_with_a_warning(report, tmp_path):
    write_report(report, tmp_path, 'ours')
    text = (tmp_path / 'robustness.md').read_text()
    assert '| **ours** | 0.500 | 0.800 | 0.800 |' in text
    assert '| BEVFusion | 0.714 | 0.830 | 0.676 |' in text
    assert 'cannot be compared' in text
    assert json.loads((tmp_path / 'robustness.json').read_text())['resistance']['NDS']['mRA']


def test_failures_stand_beside_momes_row_and_their_mean_is_nobody_elses(tmp_path):
    book = Results(tmp_path / 'scores.json', {})
    report = run_suite(recipe(), book, evaluate, corruptions=list(FAILURES), severities=LEVELS, say=str)
    assert not report.is_whole and 'over these 8: not MultiCorrupt' in report.to_terminal()
    text = report.to_markdown('ours')
    # Clean 0.5; 4 beams were not run; all lost 0.5 * 0.7; half of the objects 0.5 * 0.8.
    assert '| **ours** | 0.500 | – | 0.350 | 0.350 | 0.400 | 0.350 | 0.400 |' in text
    assert '| MoME | 0.736 | 0.630 | 0.482 | 0.583 | 0.710 | 0.695 | 0.705 |' in text
    assert '| model | clean | Beams reduced at 3 | LiDAR drop at 3 |' in text
    assert 'BEVFusion' not in text and 'not to be compared' in text
    assert all(name.rpartition('-')[0] in CATALOGUE for name in MOME_NDS if name != 'clean')


def test_a_part_of_the_suite_says_so_and_claims_no_mean(tmp_path):
    book = Results(tmp_path / 'scores.json', {})
    part = run_suite(recipe(), book, evaluate, corruptions=['fog'], severities=[1, 3], say=str)
    assert not part.is_whole
    assert 'mRA over 1 of 10 corruptions at severities 1, 3: not the published mean' in part.to_terminal()
    assert '| **ours** | 0.500 | – | – | – | – | 0.800 |' in part.to_markdown('ours')


def test_corruptions_of_a_sensor_that_is_not_read_leave_the_clean_score(tmp_path):
    book = Results(tmp_path / 'scores.json', {})
    lidar = run_suite(recipe('lidar'), book, evaluate, corruptions=['dark', 'fog'], severities=[3], say=str)
    assert lidar.of('NDS').by_corruption == {'dark': 1.0, 'fog': pytest.approx(0.7)}
    assert 'the recipe does not read the sensor: Darkness' in lidar.to_terminal()


def test_a_model_that_finds_nothing_has_dashes(tmp_path):
    scores = {name: dict(mAP=0.0, NDS=0.0) for name in ('clean', 'fog-1')}
    nothing = RobustnessReport(scores, ['fog'], [1])
    write_report(nothing, tmp_path, 'ours')
    assert json.loads((tmp_path / 'robustness.json').read_text())['resistance']['mAP']['mRA'] is None
    assert '–' in nothing.to_terminal()


def test_the_mean_share_that_is_kept_of_each_and_of_all():
    # NDS: fog (0.75 + 0.5 + 0.25) / 3, dark (1 + 1 + 0.5) / 3. mAP: (1 + 0.5 + 0) / 3 and 0.8.
    nds = resistance(SCORES, 'NDS', ['fog', 'dark'], [1, 2, 3])
    assert nds.by_corruption == {'fog': pytest.approx(0.5), 'dark': pytest.approx(2.5 / 3)}
    assert nds.mean == pytest.approx(2 / 3) and nds.clean == 0.8
    assert resistance(SCORES, 'mAP', ['fog', 'dark'], [1, 2, 3]).mean == pytest.approx(0.65)


def test_only_the_severities_that_were_run_count():
    assert resistance(SCORES, 'NDS', ['fog'], [3]).mean == pytest.approx(0.25)


def test_of_nothing_nothing_can_be_kept():
    nothing = {name: dict(NDS=0.0) for name in SCORES}
    found = resistance(nothing, 'NDS', ['fog', 'dark'], [1, 2, 3])
    assert found.by_corruption == {'fog': None, 'dark': None} and found.mean is None


def test_the_published_scores_give_the_published_row():
    scores = {condition_name(name, severity): dict(NDS=nds) for name, levels in CMT.items()
              for severity, nds in enumerate(levels, start=1)}
    found = resistance({**scores, 'clean': dict(NDS=0.729)}, 'NDS', list(CORRUPTIONS), [1, 2, 3])
    row = next(row for row in PUBLISHED if row.model == 'CMT')
    assert found.by_corruption == pytest.approx(row.by_corruption, abs=6e-4)
    assert found.mean == pytest.approx(row.mean, abs=6e-4)


def test_every_published_mean_is_that_of_its_row():
    assert len(PUBLISHED) == 12
    for row in PUBLISHED:
        assert set(row.by_corruption) == set(CORRUPTIONS)
        assert sum(row.by_corruption.values()) / 10 == pytest.approx(row.mean, abs=1e-3)
