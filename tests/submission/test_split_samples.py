"""Splits are read from the tables and mean what they mean to the devkit."""
import shutil
from pathlib import Path

import pytest
from nuscenes.utils.splits import create_splits_scenes
from ten_objects import EGO_XYZ_M, TRAIN_TOKEN, VAL_TOKENS, VERSION

from geminifusion3d.errors import UserError
from geminifusion3d.submission.split_samples import official_splits, read_split_samples


@pytest.mark.parametrize('split, tokens', [
    ('mini_val', VAL_TOKENS), ('mini_train', (TRAIN_TOKEN, )), ('night', VAL_TOKENS)])
def test_a_split_has_its_samples_and_ego_positions(
        tiny_root: Path, split: str, tokens: tuple) -> None:
    samples = read_split_samples(data_root=tiny_root, version=VERSION, split=split)
    assert dict(samples.ego_xy_global_m) == dict.fromkeys(tokens, EGO_XYZ_M[:2])


@pytest.mark.parametrize('version, split, message', [
    (VERSION, 'val', "'val' does not exist.*expected one of mini_train, mini_val, night"),
    (VERSION, 'day', "'day' does not exist"), ('v1.0-test', 'test', 'no folder v1.0-test')])
def test_what_does_not_exist_is_named(
        tiny_root: Path, version: str, split: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_split_samples(data_root=tiny_root, version=version, split=split)


@pytest.mark.parametrize('table, text, message', [
    ('sample', None, 'sample.json does not exist'), ('sample', '[{', 'not a nuScenes table'),
    ('sample', '[]', "no sample of split 'mini_val'"), ('ego_pose', '[]', 'no LIDAR_TOP keyframe'),
    ('splits', '[]', 'does not map split names')])
def test_damaged_tables_are_named(
        tiny_root: Path, tmp_path: Path, table: str, text: str, message: str) -> None:
    root = Path(shutil.copytree(tiny_root, tmp_path / 'copy'))
    path = root / VERSION / f'{table}.json'
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_split_samples(data_root=root, version=VERSION,
                           split='night' if table == 'splits' else 'mini_val')


def test_the_official_splits_are_the_devkits() -> None:
    assert {split: sorted(names) for split, names in official_splits().items()} == {
        split: sorted(names) for split, names in create_splits_scenes().items()}


@pytest.mark.parametrize('version', ['../nuscenes/v1.0-mini', '/', '.', '..'])
def test_a_version_leads_nowhere_out_of_the_data_root(tiny_root: Path, version: str) -> None:
    with pytest.raises(UserError, match='has no folder'):
        read_split_samples(data_root=tiny_root, version=version, split='mini_val')
