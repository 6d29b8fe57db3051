"""Robustness: files as the tools write them; sections appear only where there is a file."""
import json
import re

import pytest

from geminifusion3d.errors import UserError
from gemini_lab.report.robustness_section import (Robustness, read_robustness, robustness_content, suite_chart)
from gemini_lab.robustness.modalities import modality_rows
from gemini_lab.robustness.suite import RobustnessReport

SCORES = {'clean': {'mAP': 0.4, 'NDS': 0.5},
          'fog-1': {'mAP': 0.4, 'NDS': 0.5}, 'fog-3': {'mAP': 0.2, 'NDS': 0.25},
          'dark-1': {'mAP': 0.3, 'NDS': 0.4}, 'dark-3': {'mAP': 0.1, 'NDS': 0.1}}
SUITE = RobustnessReport(SCORES, ['fog', 'dark'], [1, 3], ['dark']).to_json()


def test_files_of_the_tools_are_found_beside_the_metrics(tmp_path):
    assert robustness_content(read_robustness(tmp_path)) == ''
    for name, content in (('robustness', SUITE), ('modalities', modality_rows(
            {'clean': SCORES['clean'], 'lidar-empty': SCORES['dark-3']}))):
        (tmp_path / name).mkdir()
        (tmp_path / name / f'{name}.json').write_text(json.dumps(content))
    content = robustness_content(read_robustness(tmp_path))
    assert 'Corrupted sensors' in content and 'Where a modality matters' in content
    assert '−0.400' in content


def test_bars_are_shares_of_the_clean_score():
    bars = re.findall(r'<rect class="bar severity-(\d)"[^>]* width="([\d.]+)"', suite_chart(SUITE))
    lengths = [(severity, float(width)) for severity, width in bars]
    longest = lengths[0][1]
    # 0.5, 0.25, 0.4 and 0.1 of 0.5.
    assert [(severity, width / longest) for severity, width in lengths] == [
        ('1', 1.0), ('3', pytest.approx(0.5, abs=1e-3)),
        ('1', pytest.approx(0.8, abs=1e-3)), ('3', pytest.approx(0.2, abs=1e-3))]


def test_a_part_of_the_suite_is_no_published_mean():
    content = robustness_content(Robustness(suite=SUITE))
    assert 'not the published mean' in content
    assert 'Sensors that the model does not read: Darkness' in content
    # RA of NDS: fog (1 + 0.5) / 2, dark (0.8 + 0.2) / 2; their mean 0.625.
    assert '0.750' in content and '0.500' in content and 'NDS 0.625' in content


def test_a_score_of_zero_is_drawn():
    scores = {name: {'mAP': 0.0, 'NDS': 0.0} for name in SCORES}
    suite = RobustnessReport(scores, ['fog'], [1], []).to_json()
    assert '–' in robustness_content(Robustness(suite=suite))


def test_another_file_is_refused(tmp_path):
    (tmp_path / 'robustness.json').write_text('{"clean": {}}')
    with pytest.raises(UserError, match='not a file of the robustness tools'):
        read_robustness(tmp_path)
    with pytest.raises(UserError, match='cannot read'):
        read_robustness(tmp_path, tmp_path / 'nowhere.json')
