"""Silences sensors as `gemini3d test` is asked to: the recipe stays, its test pipeline gets one step more."""
import argparse
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmengine.config import Config

from ..errors import UserError
from ..modalities import LIDAR, RADAR, use_flag
from ..nuscenes_facts import CAMERA_NAMES

PACKS = ('Pack3DDetInputs', 'GeminiPackInputs')
CLOUDS = (LIDAR, RADAR)
SPOKEN = {LIDAR: 'LiDAR'}


def silence_sensors(cfg: Config, arguments: argparse.Namespace) -> None:
    """Adds what the flags ask for to the test pipeline; results get a folder of their own.

    Args:
        cfg: the config; `work_dir` and the test data loader change if a sensor is silenced.
        arguments: of `gemini3d test`.

    Raises:
        UserError: if a camera is unknown, flags contradict each other or the recipe does not read
            the sensor.
    """
    cameras = _camera_names(arguments.drop_cameras)
    if arguments.cameras_black and cameras:
        raise UserError('got both --drop-cameras and --cameras-black; expected one of them')
    clouds = [name for name in CLOUDS if getattr(arguments, f'drop_{name}')]
    if not (cameras or clouds or arguments.cameras_black):
        return
    dataset = cfg.test_dataloader.dataset
    _check_sensors_are_read(dataset, [*(['cameras'] if cameras or arguments.cameras_black else []), *clouds])
    step = dict(type='GeminiDropSensors', cameras=CAMERA_NAMES if arguments.cameras_black else cameras,
                clouds=clouds, is_told=not arguments.cameras_black)
    dataset.pipeline = before_packing(dataset.pipeline, step)
    if not arguments.work_dir:
        cfg.work_dir = str(Path(cfg.work_dir) / _folder_name(cameras, clouds, arguments.cameras_black))


def before_packing(pipeline: Sequence[Dict[str, Any]], step: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Returns a pipeline with a step before it packs, which it must."""
    kinds = [entry['type'] for entry in pipeline]
    at = next((place for place, kind in enumerate(kinds) if kind in PACKS), None)
    if at is None:
        raise UserError(f'the pipeline {", ".join(kinds)} has no {PACKS[0]}; sensors are silenced before it')
    return [*pipeline[:at], step, *pipeline[at:]]


def _camera_names(listed: str) -> Sequence[str]:
    names = CAMERA_NAMES if listed == 'all' else tuple(name for name in listed.split(',') if name)
    unknown = [name for name in names if name not in CAMERA_NAMES]
    if unknown:
        raise UserError(f'--drop-cameras got {", ".join(unknown)}; expected "all" or some of '
                        f'{",".join(CAMERA_NAMES)}')
    return names


def _check_sensors_are_read(dataset: Dict[str, Any], silenced: Sequence[str]) -> None:
    # What a dataset reads that says nothing.
    modality = dict(use_camera=True, use_lidar=True)
    modality.update(dataset.get('modality') or {})
    for name in silenced:
        if not modality.get(use_flag(name.removesuffix('s')), False):
            raise UserError(f'the recipe does not read the {SPOKEN.get(name, name)}; leave the flag out or '
                            'pass a recipe that does')


def _folder_name(cameras: Sequence[str], clouds: Sequence[str], are_black: bool) -> str:
    names = ['pictures'] if are_black else list(cameras)
    if len(names) == len(CAMERA_NAMES):
        names = ['cameras']
    return 'without_' + '+'.join([*names, *clouds]).lower()
