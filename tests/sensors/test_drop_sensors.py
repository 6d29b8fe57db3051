"""Sensors fail as asked, the rest of the sample stays, and in training one sensor is always left."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints
from mmengine.config import Config
from mmengine.registry import init_default_scope

from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors import GeminiDropSensors, GeminiDropSensorsAtRandom
from geminifusion3d.sensors.draws import seeded_generators

DATASET = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets' / 'nuscenes.py'
NUM_DRAWS = 4000
# Four standard deviations of a share of NUM_DRAWS.
TOLERANCE = 4 * 0.5 / NUM_DRAWS ** 0.5


def sample(**replaced: object) -> dict:
    """Returns a small loaded sample; None removes a key."""
    results = dict(img=[np.full((2, 3, 3), 10 + i, np.uint8) for i in range(6)],
                   cam_names=CAMERA_NAMES, camera_present=np.ones(6, dtype=bool),
                   points=LiDARPoints(torch.arange(20.0).reshape(4, 5), points_dim=5), other='kept')
    return {key: value for key, value in {**results, **replaced}.items() if value is not None}


def draws(drop: GeminiDropSensorsAtRandom, results: dict, count: int = NUM_DRAWS) -> tuple:
    """Returns camera_present (count, 6) and whether points are left (count,)."""
    outcomes = []
    with seeded_generators((0,)):
        for _ in range(count):
            outcomes.append(drop.transform(results))
    cameras = np.array([outcome.get('camera_present', []) for outcome in outcomes])
    return cameras, np.array([len(outcome.get('points', ())) > 0 for outcome in outcomes])


def test_named_sensors_are_silent_and_told():
    results = sample()
    dropped = GeminiDropSensors(cameras=['CAM_BACK', 'CAM_FRONT'], lidar=True).transform(results)
    assert dropped['camera_present'].tolist() == [False, True, True, False, True, True]
    assert [int(image.max()) for image in dropped['img']] == [0, 11, 12, 0, 14, 15]
    assert dropped['points'].tensor.shape == (0, 5) and isinstance(dropped['points'], LiDARPoints)
    assert dropped['other'] == 'kept'
    # The sample that came in is left as it was.
    assert results['camera_present'].all() and results['img'][0].all() and len(results['points']) == 4


def test_black_pictures_can_be_kept_from_the_model():
    dropped = GeminiDropSensors(cameras=CAMERA_NAMES, is_told=False).transform(sample())
    assert dropped['camera_present'].all()
    assert not np.any(dropped['img'])
    assert len(dropped['points']) == 4


def test_a_camera_that_was_missing_before_stays_missing():
    before = np.arange(6) != 5
    dropped = GeminiDropSensors(cameras=['CAM_FRONT']).transform(sample(camera_present=before))
    assert dropped['camera_present'].tolist() == [False, True, True, True, True, False]


def test_a_sensor_that_is_unknown_or_not_loaded_is_named():
    with pytest.raises(ValueError, match='cannot drop the LiDAR: not loaded'):
        GeminiDropSensors(lidar=True).transform(sample(points=None))
    with pytest.raises(ValueError, match='cannot drop CAM_BACK: not loaded'):
        GeminiDropSensors(cameras=['CAM_BACK']).transform(sample(img=None, cam_names=None))
    with pytest.raises(ValueError, match='cannot drop CAM_TOP: not loaded'):
        GeminiDropSensors(cameras=['CAM_TOP']).transform(sample())


def test_what_is_missing_reaches_the_model_past_the_other_steps():
    init_default_scope('mmdet3d')
    pack = Config.fromfile(DATASET).pack_testing
    range_m = [-50.0, -50.0, -5.0, 50.0, 50.0, 5.0]
    steps = [GeminiDropSensors(cameras=['CAM_BACK'], lidar=True),
             *map(TRANSFORMS.build, [dict(type='PointsRangeFilter', point_cloud_range=range_m),
                                     dict(type='PointShuffle'), pack])]
    packed = sample()
    for step in steps:
        packed = step(packed)
    assert packed['inputs']['points'].shape == (0, 5)
    assert packed['inputs']['img'].shape == (6, 3, 2, 3)
    present = packed['data_samples'].metainfo['camera_present']
    assert present.tolist() == [True, True, True, False, True, True]


def test_sensors_fail_as_often_as_asked():
    drop = GeminiDropSensorsAtRandom(camera_prob=0.2, all_cameras_prob=0.1, lidar_prob=0.3)
    cameras, has_points = draws(drop, sample())
    assert 1 - has_points.mean() == pytest.approx(0.3, abs=TOLERANCE)
    # All at once, or each on its own in the other draws.
    failures = 1 - cameras.mean(axis=0)
    np.testing.assert_allclose(failures, 0.1 + 0.9 * 0.2, atol=TOLERANCE)
    # All six on their own have a chance of 6e-5.
    assert (~cameras.any(axis=1)).mean() == pytest.approx(0.1, abs=TOLERANCE)
    independent = cameras[has_points & cameras.any(axis=1)]
    assert abs(np.corrcoef(independent[:, 0], independent[:, 1])[0, 1]) < 4 / len(independent) ** 0.5


@pytest.mark.parametrize('results', [
    sample(), sample(points=LiDARPoints(torch.zeros(0, 5), points_dim=5)), sample(points=None),
    sample(img=None, cam_names=None, camera_present=None),
    sample(camera_present=np.arange(6) == 4), sample(camera_present=np.zeros(6, dtype=bool))],
    ids=['all', 'empty cloud', 'no LiDAR', 'no cameras', 'one camera', 'cameras missing'])
def test_one_sensor_is_always_left(results):
    drop = GeminiDropSensorsAtRandom(camera_prob=0.9, all_cameras_prob=0.5, lidar_prob=0.5)
    cameras, has_points = draws(drop, results, 300)
    assert (cameras.any(axis=1) | has_points).all()


def test_the_camera_that_is_left_is_any():
    drop = GeminiDropSensorsAtRandom(camera_prob=1.0)
    cameras, _ = draws(drop, sample(points=None))
    assert (cameras.sum(axis=1) == 1).all()
    np.testing.assert_allclose(cameras.mean(axis=0), 1 / 6, atol=TOLERANCE)


def test_the_same_seed_drops_the_same_sensors():
    drop = GeminiDropSensorsAtRandom(camera_prob=0.3, all_cameras_prob=0.2, lidar_prob=0.2)
    first, second = draws(drop, sample(), 50), draws(drop, sample(), 50)
    assert (first[0] == second[0]).all() and (first[1] == second[1]).all()


@pytest.mark.parametrize('probabilities', [
    dict(camera_prob=-0.1), dict(lidar_prob=1.1), dict(all_cameras_prob=0.6, lidar_prob=0.5)])
def test_impossible_probabilities_are_refused(probabilities):
    with pytest.raises(ValueError, match='expected 0 to 1'):
        GeminiDropSensorsAtRandom(**probabilities)


def test_phases_rise_straight_from_epoch_to_epoch():
    drop = GeminiDropSensorsAtRandom(camera_prob=0.2, all_cameras_prob=0.2, lidar_prob=0.4,
                                     phases=[(2, 0.0), (4, 1.0)])
    assert [drop.share(epoch) for epoch in (0, 2, 3, 4, 9)] == [0, 0, 0.5, 1, 1]
    cameras, has_points = draws(drop, sample(epoch=1), 200)
    assert cameras.all() and has_points.all()
    cameras, has_points = draws(drop, sample(epoch=3))
    assert 1 - has_points.mean() == pytest.approx(0.2, abs=TOLERANCE)
    np.testing.assert_allclose(1 - cameras.mean(axis=0), 0.1 + 0.9 * 0.1, atol=TOLERANCE)
    # In full it is what it is without phases, number by number.
    plain = GeminiDropSensorsAtRandom(camera_prob=0.2, all_cameras_prob=0.2, lidar_prob=0.4)
    for late, always in zip(draws(drop, sample(epoch=4), 50), draws(plain, sample(), 50)):
        assert (late == always).all()


@pytest.mark.parametrize('phases', [[(2, 0.0), (1, 1.0)], [(0, 1.5)], [(1, 0.0), (1, 1.0)]], ids=str)
def test_impossible_phases_are_refused(phases):
    with pytest.raises(ValueError, match='rising epochs'):
        GeminiDropSensorsAtRandom(lidar_prob=0.1, phases=phases)


def test_phases_need_to_know_the_epoch():
    with pytest.raises(ValueError, match='without epoch'):
        GeminiDropSensorsAtRandom(lidar_prob=0.1, phases=[(0, 0.0), (1, 1.0)]).transform(sample())
