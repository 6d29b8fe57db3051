"""Official scenes are chosen so that both splits are present."""
import pytest
from nuscenes.utils.splits import mini_train, mini_val, test, train, val

from gemini_lab.synthetic.scene_names import choose_scenes, recording_of
from geminifusion3d.errors import UserError


def test_two_mini_scenes_are_one_to_learn_from_and_one_to_judge():
    names = choose_scenes('v1.0-mini', 2)
    assert len(set(names) & set(mini_train)) == 1
    assert len(set(names) & set(mini_val)) == 1


@pytest.mark.parametrize('version, splits', [
    ('v1.0-mini', (mini_train, mini_val)), ('v1.0-trainval', (train, val)),
    ('v1.0-test', (test, []))])
def test_all_scenes_are_the_official_ones(version, splits):
    assert choose_scenes(version, None) == sorted(splits[0] + splits[1])


@pytest.mark.parametrize('count', range(2, 11))
def test_every_size_has_both_splits_and_the_wanted_number(count):
    names = choose_scenes('v1.0-mini', count)
    assert len(names) == count
    assert set(names) & set(mini_train) and set(names) & set(mini_val)


def test_an_unknown_version_or_number_says_what_is_possible():
    with pytest.raises(UserError, match='v2 is unknown: expected one of v1.0-mini'):
        choose_scenes('v2', None)
    with pytest.raises(UserError, match='--scenes 11 .* from 1 to 10'):
        choose_scenes('v1.0-mini', 11)


def test_no_two_scenes_share_a_log():
    names = choose_scenes('v1.0-trainval', None) + choose_scenes('v1.0-test', None)
    assert len({recording_of(0, name).log_name for name in names}) == 1000
