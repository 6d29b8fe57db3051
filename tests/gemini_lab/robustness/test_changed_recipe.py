"""A condition changes the test pipeline where it must, and the recipe that came in stays."""
import copy
from pathlib import Path

import pytest
from mmengine.config import Config

from gemini_lab.robustness.changed_recipe import (corrupted, is_touched, read_sensors, with_black_cameras,
                                                  with_empty_lidar, with_shuffled_cameras, with_silent_radar)
from geminifusion3d.errors import UserError

CONFIGS = Path(__file__).resolve().parents[3] / 'configs'
DEMO = CONFIGS / 'demo'
FUSED = 'geminifusion3d_tiny_lidar-cam_synthetic-mini.py'


@pytest.fixture(scope='module')
def recipe() -> Config:
    return Config.fromfile(DEMO / FUSED)


def pipeline(cfg: Config) -> list:
    return cfg.test_dataloader.dataset.pipeline


def kinds(cfg: Config) -> list:
    return [step['type'] for step in pipeline(cfg)]


def test_the_loaders_become_one_corrupted_step(recipe):
    before = copy.deepcopy(recipe.to_dict())
    cfg = corrupted(recipe, 'fog', 2)
    assert pipeline(cfg)[0] == dict(type='GeminiCorruptedLoading', corruption='fog', severity=2,
                                    steps=pipeline(recipe)[:2])
    assert pipeline(cfg)[1:] == pipeline(recipe)[2:]
    assert cfg.test_dataloader.dataset.type == 'GeminiNuScenesDataset'
    assert recipe.to_dict() == before and cfg.train_dataloader == recipe.train_dataloader


def test_the_dataset_hands_on_a_keyframe_as_old_as_the_severity_says(recipe):
    datasets = [corrupted(recipe, 'stuckcamera', severity).test_dataloader.dataset for severity in (1, 2, 3)]
    assert [(one.type, one.keyframes_back) for one in datasets] == [
        ('GeminiPreviousFrameDataset', back) for back in (1, 2, 4)]
    assert 'keyframes_back' not in corrupted(recipe, 'calibrationnoise', 1).test_dataloader.dataset


def test_cached_loading_is_opened_so_that_nothing_corrupted_is_kept():
    cfg = Config.fromfile(CONFIGS / 'compare' / 'geminifusion3d_lidar-cam_gemini_compare.py')
    changed = corrupted(cfg, 'snow', 1)
    inner = [step['type'] for step in pipeline(changed)[0]['steps']]
    assert inner == ['GeminiLoadImages', 'GeminiAugmentImages', 'GeminiLoadPoints']
    assert 'GeminiCachedLoading' not in kinds(changed) + kinds(with_shuffled_cameras(cfg))


def test_a_recipe_of_one_sensor_notices_its_own_corruptions_only():
    lidar = Config.fromfile(DEMO / 'geminifusion3d_tiny_lidar_synthetic-mini.py')
    camera = Config.fromfile(DEMO / 'geminifusion3d_tiny_cam_synthetic-mini.py')
    assert (read_sensors(lidar), read_sensors(camera)) == (['LiDAR'], ['cameras'])
    names = ('dark', 'beamsreducing', 'fog', 'objectfailure', 'calibrationnoise')
    assert [is_touched(lidar, name) for name in names] == [False, True, True, True, False]
    assert [is_touched(camera, name) for name in names] == [True, False, True, False, True]


def test_radars_are_read_fail_and_are_silenced(recipe):
    radar = Config.fromfile(DEMO / 'geminifusion3d_tiny_lidar-cam-radar_synthetic-mini.py')
    assert read_sensors(radar) == ['cameras', 'LiDAR', 'radar']
    assert [is_touched(radar, name) for name in ('radardrop', 'fog')] == [True, True]
    assert not is_touched(recipe, 'radardrop')
    inner = [step['type'] for step in pipeline(corrupted(radar, 'radardrop', 1))[0]['steps']]
    assert inner == ['GeminiLoadRadar', 'GeminiLoadImages', 'GeminiLoadPoints']
    assert pipeline(with_silent_radar(radar))[-2] == dict(type='GeminiDropSensors', clouds=['radar'])


def test_sensors_are_silenced_before_packing_and_shuffled_by_the_dataset(recipe):
    black, empty, shuffled = (change(recipe) for change in (with_black_cameras, with_empty_lidar,
                                                            with_shuffled_cameras))
    assert pipeline(black)[-2]['is_told'] is False and len(pipeline(black)[-2]['cameras']) == 6
    assert pipeline(empty)[-2] == dict(type='GeminiDropSensors', lidar=True)
    assert pipeline(shuffled) == pipeline(recipe)
    assert shuffled.test_dataloader.dataset.type == 'GeminiShuffledCamerasDataset'
    assert kinds(recipe).count('GeminiDropSensors') == 0


def test_data_that_cannot_be_changed_are_named(recipe):
    other = copy.deepcopy(recipe)
    other.test_dataloader.dataset.type = 'GeminiCBGSDataset'
    with pytest.raises(UserError, match='come from GeminiCBGSDataset; expected GeminiNuScenesDataset'):
        corrupted(other, 'fog', 1)
    bare = copy.deepcopy(recipe)
    bare.test_dataloader.dataset.pipeline = [dict(type='Pack3DDetInputs')]
    with pytest.raises(UserError, match='Pack3DDetInputs has none of GeminiLoadImages, GeminiLoadPoints'):
        corrupted(bare, 'fog', 1)
