"""Which samples are shown, and what is said where there are none."""
import json
import shutil

import pytest

from geminifusion3d.errors import UserError
from gemini_lab.report.selection import choose_tokens, open_dataset, sample_names, split_tokens

SCENES = {'a': list('0123456789'), 'b': list('xyz')}


@pytest.mark.parametrize('count, expected', [
    (0, []), (1, ['5']), (2, ['5', 'y']),
    # Two parts of ten samples: 0-4 and 5-9, their middles 2 and 7.
    (3, ['2', '7', 'y']),
    (13, list('0123456789xyz')), (99, list('0123456789xyz'))])
def test_samples_are_spread_over_scenes_and_time(count, expected):
    assert choose_tokens(SCENES, count) == expected


def test_a_split_is_listed_by_scene_in_time_order(tiny_nusc):
    assert split_tokens(tiny_nusc, 'mini_val') == {
        'scene-0103': ['scene-0103-a', 'scene-0103-b'],
        'scene-0916': ['scene-0916-a', 'scene-0916-b']}


def test_a_sample_is_named_by_its_scene_and_second(tiny_nusc):
    names = sample_names(tiny_nusc, {'scene-0103': ['scene-0103-a', 'scene-0103-b']})
    assert names['scene-0103-b'] == 'scene-0103, 0.5 s'


def test_custom_splits_of_the_dataset_are_known(tiny_root, tmp_path):
    shutil.copytree(tiny_root, tmp_path / 'data')
    (tmp_path / 'data' / 'v1.0-mini' / 'splits.json').write_text(
        json.dumps({'mine': ['scene-0916']}))
    nusc = open_dataset(tmp_path / 'data', 'v1.0-mini')
    assert list(split_tokens(nusc, 'mine')) == ['scene-0916']


def test_an_unknown_split_lists_the_known_ones(tiny_nusc):
    with pytest.raises(UserError, match="unknown split 'vla'; expected one of .*mini_val"):
        split_tokens(tiny_nusc, 'vla')


def test_a_split_of_another_version_is_said_to_be_absent(tiny_nusc):
    with pytest.raises(UserError, match="no scene of split 'mini_train'"):
        split_tokens(tiny_nusc, 'mini_train')


def test_an_unknown_version_lists_the_ones_found(tiny_root):
    with pytest.raises(UserError, match='v1.0-mini'):
        open_dataset(tiny_root, 'v1.0-trainval')


def test_broken_tables_are_named(tmp_path):
    (tmp_path / 'v1.0-mini').mkdir()
    with pytest.raises(UserError, match='devkit cannot open'):
        open_dataset(tmp_path, 'v1.0-mini')
