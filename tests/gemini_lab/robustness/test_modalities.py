"""Deltas of each modality: what is evaluated, and the differences by hand."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from gemini_lab.jobs import Results
from gemini_lab.robustness.evaluations import modality_conditions, run_modalities

DEMO = Path(__file__).resolve().parents[3] / 'configs' / 'demo'
NDS = {'clean': 0.5, 'cameras-black': 0.4, 'cameras-shuffled': 0.3, 'lidar-empty': 0.1}


def recipe(sensors: str) -> Config:
    return Config.fromfile(DEMO / f'geminifusion3d_tiny_{sensors}_synthetic-mini.py')


@pytest.mark.parametrize('sensors, names', [
    ('lidar-cam', list(NDS)), ('lidar', ['clean', 'lidar-empty']),
    ('cam', ['clean', 'cameras-black', 'cameras-shuffled']),
    ('lidar-cam-radar', [*NDS, 'radars-silent'])])
def test_what_a_recipe_reads_is_silenced(sensors, names):
    assert [one.name for one in modality_conditions(recipe(sensors))] == names


def test_differences_to_the_clean_evaluation_are_printed_and_written(tmp_path):
    lines = []
    book = Results(tmp_path / 'scores.json', {})
    rows = run_modalities(recipe('lidar-cam'), book,
                          lambda cfg, folder: dict(mAP=0.2, NDS=NDS[folder.name]), say=lines.append)
    assert [row['NDS_delta'] for row in rows] == pytest.approx([0, -0.1, -0.2, -0.4])
    assert json.loads((tmp_path / 'modalities.json').read_text()) == rows
    table = lines[-1].splitlines()
    assert table[0].split() == ['sensors', 'mAP', 'Δ', 'mAP', 'NDS', 'Δ', 'NDS']
    assert table[3].split() == ['cameras', 'shuffled', '0.200', '+0.000', '0.300', '-0.200']
