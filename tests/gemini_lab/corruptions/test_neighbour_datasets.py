"""Datasets that hand on other keyframes' files: the one before, or a stranger's pictures."""
from pathlib import Path

import numpy as np
import pytest
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.corruptions.datasets import (GeminiPreviousFrameDataset, GeminiShuffledCamerasDataset,
                                             lenders_of)
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.sensors import GeminiNuScenesDataset

FRAMES = 3


@pytest.fixture(scope='module')
def options(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Arguments of a dataset of two scenes of three keyframes."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('neighbours'), keyframes=FRAMES,
                               scenes=('scene-0103', 'scene-0916'))
    infos: Path = convert_nuscenes(root, 'v1.0-mini', root)['mini_val']
    return dict(data_root=str(root), ann_file=str(infos), pipeline=[], test_mode=True)


def test_each_keyframe_knows_the_one_before_it_in_its_scene(options):
    plain, dataset = GeminiNuScenesDataset(**options), GeminiPreviousFrameDataset(**options)
    for index in range(2 * FRAMES):
        own, expected = dataset.get_data_info(index), plain.get_data_info(index)
        previous = own.pop('previous')
        assert own.keys() == expected.keys() and own['token'] == expected['token']
        if index % FRAMES == 0:
            assert previous is None
            continue
        before = plain.get_data_info(index - 1)
        assert previous == {key: before[key] for key in ('images', 'lidar_points', 'lidar_sweeps')}
    assert dataset.get_data_info(-1)['previous'] == dataset.get_data_info(2 * FRAMES - 1)['previous']


def test_an_older_keyframe_is_handed_on_or_the_scenes_first(options):
    plain = GeminiNuScenesDataset(**options)
    dataset = GeminiPreviousFrameDataset(keyframes_back=2, **options)
    for index in range(2 * FRAMES):
        previous = dataset.get_data_info(index)['previous']
        start = index - index % FRAMES
        assert (previous is None) == (index == start)
        if previous is not None:
            assert previous['images'] == plain.get_data_info(max(index - 2, start))['images']
    with pytest.raises(ValueError, match='got keyframes_back=0; expected 1 or more'):
        GeminiPreviousFrameDataset(keyframes_back=0, **options)


def test_pictures_come_from_another_scene_and_everything_else_stays(options):
    plain, dataset = GeminiNuScenesDataset(**options), GeminiShuffledCamerasDataset(**options)
    files = []
    for index in range(2 * FRAMES):
        own, expected = dataset.get_data_info(index), plain.get_data_info(index)
        lent = {name: image.pop('img_path') for name, image in own['images'].items()}
        true = {name: image.pop('img_path') for name, image in expected['images'].items()}
        assert own['images'] == expected['images'] and own['lidar_points'] == expected['lidar_points']
        assert all(Path(lent[name]).parent == Path(true[name]).parent for name in lent)
        assert expected['scene_name'] not in lent['CAM_FRONT']
        files.append(lent['CAM_FRONT'])
    # Every keyframe's pictures are lent once.
    assert len(set(files)) == 2 * FRAMES
    again = GeminiShuffledCamerasDataset(**options)
    assert again.get_data_info(1)['images'] == dataset.get_data_info(1)['images']


@pytest.mark.parametrize('scenes', ['aabb', 'aaabbc', 'abab', 'ab', 'aaaaab', 'aaa', 'abcabcabc'])
def test_nobody_lends_to_itself_and_a_stranger_lends_where_possible(scenes):
    lenders = lenders_of(list(scenes))
    assert sorted(lenders) == list(range(len(scenes)))
    assert not np.any(np.array(lenders) == np.arange(len(scenes)))
    if max(map(scenes.count, scenes)) * 2 <= len(scenes):
        assert all(scenes[lender] != scenes[own] for own, lender in enumerate(lenders))


def test_one_keyframe_has_nobody_to_lend_from():
    with pytest.raises(ValueError, match='got 1 keyframe; pictures are shuffled among two or more'):
        lenders_of(['a'])
