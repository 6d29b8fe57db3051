"""What --tta evaluates and times, and the gains and costs by hand."""
import json
from pathlib import Path

import pytest
from mmengine.config import Config

from gemini_lab.jobs import Results
from gemini_lab.robustness.variants_gain import augmented_recipes, run_gain
from geminifusion3d.errors import UserError

DEMO = Path(__file__).resolve().parents[3] / 'configs' / 'demo'
NDS = {'clean': 0.5, 'flip': 0.55, 'flip+image-flip': 0.45}
SECONDS = {'clean': 0.2, 'flip': 0.8, 'flip+image-flip': 1.7}


def recipe(sensors: str = 'lidar-cam') -> Config:
    return Config.fromfile(DEMO / f'geminifusion3d_tiny_{sensors}_synthetic-mini.py')


def variants_of(cfg: Config) -> int:
    """Counts the variants that a recipe's samples go through."""
    steps = [step for step in cfg.test_dataloader.dataset.pipeline if step['type'] == 'TestTimeAug']
    return len(steps[0]['transforms'][0]) * len(steps[0]['transforms'][1]) if steps else 1


def test_each_combination_is_a_recipe_of_its_own_beside_the_plain_one():
    cfg = recipe()
    found = augmented_recipes(cfg, ['flip', 'rotate=3', 'flip+image-flip'])
    assert {name: variants_of(one) for name, one in found.items()} == {
        'clean': 1, 'flip': 4, 'rotate=3': 2, 'flip+image-flip': 8}
    assert cfg.to_dict() == found['clean'].to_dict() == recipe().to_dict()


@pytest.mark.parametrize('sensors, names', [
    ('lidar-cam', ['clean', 'flip', 'rotate', 'scale', 'image-flip']),
    ('lidar', ['clean', 'flip', 'rotate', 'scale'])])
def test_without_combinations_every_term_that_fits_is_tried(sensors, names):
    assert list(augmented_recipes(recipe(sensors), [])) == names


def test_gains_and_costs_are_printed_and_written_and_finished_evaluations_kept(tmp_path):
    lines, evaluated = [], []

    def score(cfg, folder):
        evaluated.append(folder.name)
        return dict(mAP=0.2, NDS=NDS[folder.name])

    for _ in range(2):
        book = Results(tmp_path / 'scores.json', {})
        rows = run_gain(recipe(), ['flip', 'flip+image-flip'], book, score,
                        lambda recipes, folder: {name: SECONDS[name] for name in recipes}, say=lines.append)
    assert evaluated == list(NDS)
    assert [row['NDS_gain'] for row in rows] == pytest.approx([0, 0.05, -0.05])
    assert [row['cost'] for row in rows] == pytest.approx([1, 4, 8.5])
    assert json.loads((tmp_path / 'tta_gain.json').read_text()) == rows
    assert lines[-1].splitlines()[3].split() == [
        'flip', 'image-flip', '0.200', '+0.000', '0.450', '-0.050', '1.70', 's', '8.5', 'x']


def test_an_unknown_term_is_named_before_anything_runs():
    with pytest.raises(UserError, match="got 'spin'"):
        augmented_recipes(recipe(), ['flip+spin'])
