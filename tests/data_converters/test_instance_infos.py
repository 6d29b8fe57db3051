"""Boxes of a scene against the devkit, box by box."""
from copy import deepcopy

import numpy as np
import pytest
from nuscenes.nuscenes import NuScenes
from tiny_nuscenes import token, write_tiny_nuscenes

from geminifusion3d.data_converters.instance_infos import instance_infos, velocities_global_mps
from geminifusion3d.errors import UserError


@pytest.fixture(scope='module')
def nusc(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    """The opened tables of a tiny dataset; read only."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), keyframes=4)
    return NuScenes('v1.0-mini', str(root), verbose=False)


def velocities(nusc: NuScenes) -> tuple:
    """Ours and the devkit's, of all annotations."""
    return (velocities_global_mps(nusc, nusc.sample_annotation),
            np.array([nusc.box_velocity(one['token']) for one in nusc.sample_annotation]))


def test_velocities_are_the_devkits_unknown_ones_too(nusc):
    ours, devkits = velocities(nusc)
    np.testing.assert_array_equal(ours, devkits)
    assert 0 < np.isnan(devkits).any(axis=1).sum() < len(devkits)


@pytest.mark.parametrize('stretch', [2.9, 3.1, 6.1])
def test_between_sights_too_far_apart_a_velocity_is_unknown_as_for_the_devkit(nusc, stretch):
    stretched = deepcopy(nusc)
    start_us = min(sample['timestamp'] for sample in nusc.sample)
    for sample in stretched.sample:
        sample['timestamp'] = start_us + int((sample['timestamp'] - start_us) * stretch)
    ours, devkits = velocities(stretched)
    np.testing.assert_array_equal(ours, devkits)
    # 0.5 s between keyframes: 1.45 s is known, 1.55 s is not, and twice that over two spans is not either.
    assert np.isnan(devkits).all() == (stretch > 3)


def test_every_keyframe_gets_its_own_boxes_in_its_own_frame(nusc):
    samples = nusc.sample[:2]
    far = np.tile(np.eye(4), (2, 1, 1))
    far[1, :3, 3] = [100, 0, 0]
    here, there = instance_infos(nusc, samples, far)
    assert [one['annotation_token'] for one in here] == samples[0]['anns']
    assert [one['annotation_token'] for one in there] == samples[1]['anns']
    for one in here + there:
        row = nusc.get('sample_annotation', one['annotation_token'])
        shift_m = 100 if one in there else 0
        np.testing.assert_allclose(np.add(one['bbox_3d'][:3], [shift_m, 0, 0]), row['translation'])


def test_keyframes_without_boxes_have_empty_lists(nusc):
    samples = [{**nusc.sample[0], 'anns': []}, nusc.sample[1], {**nusc.sample[2], 'anns': []}]
    counts = [len(some) for some in instance_infos(nusc, samples, np.tile(np.eye(4), (3, 1, 1)))]
    assert counts == [0, len(nusc.sample[1]['anns']), 0]
    assert instance_infos(nusc, samples[:1], np.eye(4)[None]) == [[]]


def test_two_attributes_of_one_box_are_refused(nusc):
    damaged = deepcopy(nusc)
    row = damaged.get('sample_annotation', token('scene-0061', 'parked', 0))
    row['attribute_tokens'] *= 2
    sample = damaged.get('sample', row['sample_token'])
    with pytest.raises(UserError, match=f'{row["token"]} has 2 attributes'):
        instance_infos(damaged, [sample], np.eye(4)[None])
