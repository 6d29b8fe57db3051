"""The recipes for the leaderboard differ from those they stand for in what they learn, and only there."""
from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
RECIPES = sorted((CONFIGS / 'leaderboard').glob('*.py'))


def loaded(path: Path) -> dict:
    """Returns a recipe as plain content, without the variables that only build it."""
    content = Config.fromfile(path).to_dict()
    for name in ('sample_objects', 'lidar_stage', 'train_pipeline'):
        content.pop(name, None)
    return content


@pytest.mark.parametrize('path', RECIPES, ids=lambda path: path.stem)
def test_train_and_val_are_learned_and_nothing_is_judged_meanwhile(path: Path) -> None:
    recipe, base = loaded(path), loaded(CONFIGS / path.name.replace('_trainval', ''))
    dataset, base_dataset = (part['train_dataloader']['dataset']['dataset'] for part in (recipe, base))
    assert dataset.pop('ann_file') == 'geminifusion3d_infos_trainval.pkl'
    assert base_dataset.pop('ann_file') == 'geminifusion3d_infos_train.pkl'
    for step, base_step in zip(dataset['pipeline'], base_dataset['pipeline']):
        if step['type'] == 'GeminiSampleObjects':
            assert base_step.pop('database').replace('_train', '_trainval') == step.pop('database')
    nothing = {'val_cfg': None, 'val_dataloader': None, 'val_evaluator': None}
    assert {name: recipe[name] for name in nothing} == nothing
    assert {**recipe, 'load_from': None} == {**base, **nothing, 'load_from': None}


def test_the_fused_stage_starts_where_the_lidar_stage_ends() -> None:
    lidar, fused = sorted(RECIPES, key=lambda path: 'lidar-cam' in path.name)
    epochs = Config.fromfile(lidar).train_cfg.max_epochs
    assert Config.fromfile(fused).load_from == f'work_dirs/{lidar.stem}/epoch_{epochs}.pth'
