"""The flags put one step before packing, name their mistakes, and results lie apart."""
from pathlib import Path

import pytest
from mmengine.config import Config

from geminifusion3d.commands.main import parse
from geminifusion3d.engine.config_file import check_data_files
from geminifusion3d.engine.silenced_sensors import silence_sensors
from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CAMERA_NAMES

FUSED = dict(use_camera=True, use_lidar=True, use_radar=True)
LOAD, PACK = dict(type='GeminiLoadPoints'), dict(type='Pack3DDetInputs')


def silenced(*flags: str, modality: dict = FUSED, pipeline: tuple = (LOAD, PACK)) -> Config:
    """Returns a config after the flags were applied."""
    cfg = Config(dict(work_dir='work_dirs/recipe', test_dataloader=dict(dataset=dict(
        pipeline=list(pipeline), modality=modality))))
    silence_sensors(cfg, parse('test', 'recipe.py', 'epoch_1.pth', *flags))
    return cfg


def added(cfg: Config) -> dict:
    first, step, last = cfg.test_dataloader.dataset.pipeline
    assert (first, last) == (LOAD, PACK)
    return step


def test_without_flags_nothing_changes():
    cfg = silenced()
    assert cfg.test_dataloader.dataset.pipeline == [LOAD, PACK] and cfg.work_dir == 'work_dirs/recipe'


@pytest.mark.parametrize('flags, cameras, clouds, is_told, folder', [
    (['--drop-cameras', 'CAM_FRONT,CAM_BACK'], ('CAM_FRONT', 'CAM_BACK'), [], True,
     'without_cam_front+cam_back'),
    (['--drop-cameras', 'all'], CAMERA_NAMES, [], True, 'without_cameras'),
    (['--drop-lidar'], (), ['lidar'], True, 'without_lidar'),
    (['--drop-radar', '--drop-lidar'], (), ['lidar', 'radar'], True, 'without_lidar+radar'),
    (['--drop-cameras', 'CAM_BACK', '--drop-lidar'], ('CAM_BACK',), ['lidar'], True,
     'without_cam_back+lidar'),
    (['--cameras-black'], CAMERA_NAMES, [], False, 'without_pictures')])
def test_flags_become_one_step_before_packing(flags, cameras, clouds, is_told, folder):
    cfg = silenced(*flags)
    assert added(cfg) == dict(type='GeminiDropSensors', cameras=cameras, clouds=clouds, is_told=is_told)
    assert cfg.work_dir == f'work_dirs/recipe/{folder}'


def test_a_folder_that_was_asked_for_stays():
    assert silenced('--drop-lidar', '--work-dir', 'elsewhere').work_dir == 'work_dirs/recipe'


@pytest.mark.parametrize('flags, options, message', [
    (['--drop-cameras', 'CAM_TOP'], {}, 'got CAM_TOP; expected "all" or some of CAM_FRONT,'),
    (['--drop-cameras', 'all', '--cameras-black'], {}, 'expected one of them'),
    (['--drop-lidar'], dict(modality=dict(use_camera=True, use_lidar=False)), 'does not read the LiDAR'),
    (['--cameras-black'], dict(modality=dict(use_camera=False, use_lidar=True)), 'does not read the cameras'),
    (['--drop-radar'], dict(modality=dict(use_camera=True)), 'does not read the radar'),
    (['--drop-lidar'], dict(pipeline=[LOAD]), 'GeminiLoadPoints has no Pack3DDetInputs')])
def test_mistakes_are_named(flags, options, message):
    with pytest.raises(UserError, match=message):
        silenced(*flags, **options)


def test_a_recipe_without_its_ground_truth_database_says_how_to_write_it(tmp_path: Path):
    (tmp_path / 'geminifusion3d_infos_mini_train.pkl').write_bytes(b'')
    sample = dict(type='GeminiSampleObjects', database=str(tmp_path / 'gt_database_mini_train'), sweeps_num=4)
    dataset = dict(data_root=str(tmp_path), ann_file='geminifusion3d_infos_mini_train.pkl',
                   pipeline=[LOAD, sample])
    cfg = Config(dict(train_dataloader=dict(dataset=dict(dataset=dataset))))
    with pytest.raises(UserError, match='gt_database_mini_train does not exist: .* --version v1.0-mini '
                                        '--with-gt-database --database-sweeps 4'):
        check_data_files(cfg, ['train_dataloader'])
    (tmp_path / 'gt_database_mini_train').mkdir()
    (tmp_path / 'gt_database_mini_train' / 'database.json').write_text('{}')
    check_data_files(cfg, ['train_dataloader'])
