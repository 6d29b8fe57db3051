"""Which scenes a split holds, and what a mistaken split is answered."""
import json
from pathlib import Path

import pytest
from nuscenes.nuscenes import NuScenes
from tiny_nuscenes import token, write_tiny_nuscenes

from geminifusion3d.data_converters.nuscenes_tables import resolve_splits
from geminifusion3d.errors import UserError


def opened(tmp_path: Path, version: str, scenes: list, splits: object = None) -> NuScenes:
    root = write_tiny_nuscenes(tmp_path, version=version, scenes=scenes, keyframes=1)
    if splits is not None:
        text = splits if isinstance(splits, str) else json.dumps(splits)
        (root / version / 'splits.json').write_text(text)
    return NuScenes(version, str(root), verbose=False)


def test_a_scene_of_no_split_is_in_no_split(tmp_path):
    nusc = opened(tmp_path, 'v1.0-trainval', ['scene-0003', 'scene-9999', 'scene-0001'])
    assert resolve_splits(nusc, []) == {'train': [token('scene-0001')],
                                        'val': [token('scene-0003')]}


def test_official_splits_without_scenes_are_left_out_unless_asked_for(tmp_path):
    nusc = opened(tmp_path, 'v1.0-mini', ['scene-0061'])
    assert list(resolve_splits(nusc, [])) == ['mini_train']
    with pytest.raises(UserError, match="'mini_val' has no scene in .* which holds scene-0061"):
        resolve_splits(nusc, ['mini_val'])


def test_train_detect_can_be_asked_for(tmp_path):
    nusc = opened(tmp_path, 'v1.0-trainval', ['scene-0001', 'scene-0003'])
    assert resolve_splits(nusc, ['train_detect']) == {'train_detect': [token('scene-0001')]}


def test_train_and_val_together_are_a_split_of_that_version_alone(tmp_path):
    nusc = opened(tmp_path, 'v1.0-trainval', ['scene-0003', 'scene-9999', 'scene-0001'])
    assert resolve_splits(nusc, ['trainval', 'val']) == {
        'trainval': [token('scene-0003'), token('scene-0001')], 'val': [token('scene-0003')]}


def test_custom_splits_come_from_the_file_in_the_order_of_the_scene_table(tmp_path):
    nusc = opened(tmp_path, 'v1.0-mini', ['scene-0061', 'scene-0103', 'scene-0553'],
                  {'night': ['scene-0553', 'scene-0061']})
    assert resolve_splits(nusc, ['night', 'mini_val']) == {
        'night': [token('scene-0061'), token('scene-0553')], 'mini_val': [token('scene-0103')]}


def test_a_version_of_ones_own_has_the_splits_of_its_file(tmp_path):
    nusc = opened(tmp_path, 'v2-own', ['scene-0001', 'town'], {'b': ['town'], 'a': ['scene-0001']})
    assert resolve_splits(nusc, []) == {'a': [token('scene-0001')], 'b': [token('town')]}


@pytest.mark.parametrize('version, splits, asked, message', [
    ('v1.0-mini', None, ['vall'], "unknown split 'vall'; expected one of mini_train, mini_val"),
    ('v1.0-mini', {'rain': ['scene-0061']}, ['ran'], 'mini_train, mini_val, rain'),
    ('v1.0-mini', None, ['trainval'], "unknown split 'trainval'"),
    ('v1.0-mini', None, ['val'], "'val' is not a split of version 'v1.0-mini'"),
    ('v1.0-mini', {'rain': ['scene-0001']}, ['rain'], 'names 1 scenes .* scene-0001'),
    ('v1.0-mini', '{"rain": [', ['rain'], 'splits.json is no JSON'),
    ('v1.0-mini', ['rain'], ['rain'], 'does not map split names to lists'),
    ('v1.0-mini', {'rain': [3]}, ['rain'], 'does not map split names to lists'),
    ('v1.0-mini', {'../rain': ['scene-0061']}, ['mini_train'], "names a split '../rain'"),
    ('v2-own', None, [], "'v2-own' is not official and has no splits"),
])
def test_mistakes_are_answered_clearly(tmp_path, version, splits, asked, message):
    nusc = opened(tmp_path, version, ['scene-0061'], splits)
    with pytest.raises(UserError, match=message):
        resolve_splits(nusc, asked)
