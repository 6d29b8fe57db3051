"""Files become corrupted samples: only what shall change does, the same way in every read."""
from pathlib import Path

import cv2
import numpy as np
import pytest

from gemini_lab.corruptions.catalogue import CATALOGUE
from gemini_lab.corruptions.loading import GeminiCorruptedLoading, corrupted_steps
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.load_images import GeminiLoadImages
from geminifusion3d.sensors.load_points import GeminiLoadPoints

STEPS = [dict(type='GeminiLoadImages', reduce=2), dict(type='GeminiLoadPoints', sweeps_num=1)]


@pytest.fixture(scope='module')
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """The record of a keyframe with one sweep, and of the keyframe before it."""
    root = tmp_path_factory.mktemp('sample')
    return {**record(root / 'now', 1), 'token': 'token', 'previous': record(root / 'before', 2)}


def record(folder: Path, seed: int) -> dict:
    """Writes random pictures and sweeps and returns their record."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    images = {}
    for name in CAMERA_NAMES:
        path = str(folder / f'{name}.png')
        cv2.imwrite(path, rng.integers(0, 256, (36, 64, 3), dtype=np.uint8))
        images[name] = dict(img_path=path, cam2img=np.eye(3), lidar2cam=np.eye(4), height=36, width=64)
    paths = [str(folder / f'{number}.bin') for number in range(2)]
    for path in paths:
        points_m = rng.uniform(3, 40, (320, 3))
        columns = [points_m, rng.integers(0, 256, 320), np.arange(320) % 32]
        np.column_stack(columns).astype('<f4').tofile(path)
    sweep = dict(lidar_points=dict(lidar_path=paths[1], lidar2sensor=np.eye(4)), timestamp_us=0)
    # One that holds all points, at rest.
    box = dict(bbox_3d=[0, 0, 0, 200, 200, 200, 0], velocity=[np.nan, np.nan])
    return dict(images=images, lidar_points=dict(lidar_path=paths[0]), lidar_sweeps=[sweep],
                timestamp_us=50_000, instances=[box])


def loaded(sample: dict, corruption: str, severity: int, token: str = 'token') -> dict:
    loading = GeminiCorruptedLoading(corruption=corruption, severity=severity, steps=STEPS)
    return loading.transform({**sample, 'token': token})


def clean(sample: dict) -> dict:
    results = GeminiLoadImages(reduce=2).transform(sample)
    return GeminiLoadPoints(sweeps_num=1).transform(results)


def cloud(results: dict) -> np.ndarray:
    return np.asarray(results['points'].tensor)


@pytest.mark.parametrize('name', CATALOGUE)
def test_the_touched_sensors_change_and_nothing_else_does(name, sample):
    tokens = [f'token {number}' for number in range(6)]
    corrupted, expected = [loaded(sample, name, 3, token) for token in tokens], clean(sample)
    places = ('lidar2cam',) if name == 'calibrationnoise' else ('img',)
    images_change = any(not np.array_equal(one[key], expected[key]) for one in corrupted for key in places)
    points_change = any(not np.array_equal(cloud(one), cloud(expected)) for one in corrupted)
    assert images_change == CATALOGUE[name].touches_cameras
    assert points_change == CATALOGUE[name].touches_lidar
    for one in corrupted:
        assert one['camera_present'].all()
        for key in {'img', 'cam2img', 'lidar2cam', 'img_aug_matrix', 'lidar_aug_matrix', 'cam_names'} - (
                set(places) if images_change else set()):
            np.testing.assert_array_equal(one[key], expected[key])
        assert set(one) == set(expected)


@pytest.mark.parametrize('name', CATALOGUE)
def test_a_sample_is_corrupted_the_same_way_whatever_was_loaded_before(name, sample):
    first = loaded(sample, name, 2)
    loading = GeminiCorruptedLoading(corruption=name, severity=2, steps=STEPS)
    np.random.seed(7)
    loading.transform({**sample, 'token': 'another'})
    second = loading.transform(sample)
    np.testing.assert_array_equal(first['img'], second['img'])
    np.testing.assert_array_equal(first['lidar2cam'], second['lidar2cam'])
    np.testing.assert_array_equal(cloud(first), cloud(second))


@pytest.mark.parametrize('name', ['fog', 'motionblur', 'pointsreducing', 'snow'])
def test_another_sample_and_another_sweep_have_other_draws(name, sample):
    keyframe_path, (sweep,) = sample['lidar_points']['lidar_path'], sample['lidar_sweeps']
    same_points = {**sweep['lidar_points'], 'lidar_path': keyframe_path}
    same_files = {**sample, 'lidar_sweeps': [{**sweep, 'lidar_points': same_points}]}
    points = cloud(loaded(same_files, name, 2))
    is_keyframe = points[:, 4] == 0
    assert not np.array_equal(points[is_keyframe, :4], points[~is_keyframe, :4])
    assert not np.array_equal(points, cloud(loaded(same_files, name, 2, token='another')))


def test_files_are_left_as_they_are(sample):
    paths = [Path(sample['lidar_points']['lidar_path']), Path(sample['images']['CAM_FRONT']['img_path'])]
    before = [path.read_bytes() for path in paths]
    siblings = sorted(paths[0].parent.iterdir())
    for name in CATALOGUE:
        loaded(sample, name, 3)
    assert [path.read_bytes() for path in paths] == before and sorted(paths[0].parent.iterdir()) == siblings


def test_a_camera_that_is_missing_stays_black(sample):
    gone = {**sample['images'], 'CAM_BACK': {**sample['images']['CAM_BACK'], 'img_path': 'nowhere.png'}}
    steps = [dict(type='GeminiLoadImages', missing='mark')]
    results = GeminiCorruptedLoading(corruption='brightness', severity=3, steps=steps).transform(
        {**sample, 'images': gone})
    at = CAMERA_NAMES.index('CAM_BACK')
    assert not results['img'][at].any() and not results['camera_present'][at]
    assert results['img'][0].mean() > 150


def test_loaders_keep_their_arguments_and_other_steps_stay():
    steps = [*STEPS, dict(type='GeminiAugmentImages', final_hw=(16, 44))]
    choice = dict(corruption='dark', severity=1)
    changed = corrupted_steps(steps, CATALOGUE['dark'], choice)
    assert changed == [dict(choice, type='GeminiLoadCorruptedImages', reduce=2), *steps[1:]]
    assert steps[0] == dict(type='GeminiLoadImages', reduce=2)


@pytest.mark.parametrize('name, sensor', [('lidardrop', 'points'), ('viewdrop', 'img')])
def test_a_silent_sensor_is_announced_as_present(name, sensor, sample):
    results = loaded(sample, name, 3)
    assert results['camera_present'].all() and len(results['points']) > 0
    # Of keyframe and sweep one return each.
    assert len(results['points']) == 2 if sensor == 'points' else not np.any(results['img'])


def test_radars_fail_shot_by_shot_and_the_same_way_in_every_read(sample):
    rows = np.array([[5.0, 1.0, 0.0, 10.0, 1.0, 0.0]], np.float32)
    shot = dict(radar_path=rows, columns=['x', 'y', 'z', 'rcs', 'vx', 'vy'], lidar_from_radar=np.eye(4),
                timestamp_us=50_000)
    radars = {**sample, 'radars': {channel: [shot, shot] for channel in ('front', 'left', 'right')}}

    def returns(corruption: str, severity: int, token: str) -> int:
        loading = GeminiCorruptedLoading(corruption=corruption, severity=severity,
                                         steps=[dict(type='GeminiLoadRadar', sweeps_num=1)])
        return len(loading.transform({**radars, 'token': token})['radar_points'])

    tokens = [f'token {number}' for number in range(40)]
    assert all(returns('lidardrop', 3, token) == 6 and returns('radardrop', 3, token) == 0
               for token in tokens[:3])
    left = [returns('radardrop', 1, token) for token in tokens]
    assert left == [returns('radardrop', 1, token) for token in tokens]
    # Of six shots half, each for itself: all seven outcomes but rare ones come.
    assert 2.3 < np.mean(left) < 3.7 and len(set(left)) >= 4


def test_late_sensors_without_the_keyframe_before_say_which_dataset_has_it(sample):
    alone = {key: value for key, value in sample.items() if key != 'previous'}
    with pytest.raises(ValueError, match='GeminiPreviousFrameDataset'):
        loaded(alone, 'temporalmisalignment', 1)


def test_choices_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match="got corruption 'rain'"):
        GeminiCorruptedLoading(corruption='rain', severity=1, steps=STEPS)
    with pytest.raises(ValueError, match='got severity 5'):
        GeminiCorruptedLoading(corruption='fog', severity=5, steps=STEPS)
