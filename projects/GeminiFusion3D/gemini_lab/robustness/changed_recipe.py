"""A recipe's evaluation under another condition: what changes in the test data loader, and only there."""
import copy
from typing import Any, Dict, List

from mmengine.config import Config

from geminifusion3d.engine.silenced_sensors import before_packing
from geminifusion3d.errors import UserError
from geminifusion3d.modalities import RADAR
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.cached_loading import without_cache

from ..corruptions.catalogue import find_corruption
from ..corruptions.strength import at

LOADERS = {'GeminiLoadImages': 'cameras', 'GeminiLoadPoints': 'LiDAR', 'GeminiLoadRadar': RADAR}
CORRUPTED = 'GeminiCorruptedLoading'
DATASET = 'GeminiNuScenesDataset'


def corrupted(cfg: Config, corruption: str, severity: int) -> Config:
    """Returns the recipe with its test samples corrupted while they are loaded."""
    cfg = copy.deepcopy(cfg)
    dataset = _test_dataset(cfg)
    steps = without_cache(dataset.pipeline)
    places = [index for index, step in enumerate(steps) if step['type'] in LOADERS]
    if not places:
        raise UserError(f'the test pipeline {", ".join(step["type"] for step in steps)} has none of '
                        f'{", ".join(LOADERS)}, the loaders that corruptions replace')
    first, last = places[0], places[-1] + 1
    loading = dict(type=CORRUPTED, corruption=corruption, severity=severity, steps=steps[first:last])
    dataset.pipeline = [*steps[:first], loading, *steps[last:]]
    found = find_corruption(corruption)
    if found.keyframes_back is not None:
        dataset.type = 'GeminiPreviousFrameDataset'
        dataset.keyframes_back = at(severity, found.keyframes_back)
    return cfg


def is_touched(cfg: Config, corruption: str) -> bool:
    """Says whether a corruption changes what the recipe reads."""
    sensors, found = read_sensors(cfg), find_corruption(corruption)
    return ('cameras' in sensors and found.touches_cameras or 'LiDAR' in sensors and found.touches_lidar
            or RADAR in sensors and found.radar is not None)


def with_black_cameras(cfg: Config) -> Config:
    """Returns the recipe with black pictures that the model takes for real ones."""
    return _with_step(cfg, dict(type='GeminiDropSensors', cameras=CAMERA_NAMES, is_told=False))


def with_empty_lidar(cfg: Config) -> Config:
    """Returns the recipe with empty clouds."""
    return _with_step(cfg, dict(type='GeminiDropSensors', lidar=True))


def with_silent_radar(cfg: Config) -> Config:
    """Returns the recipe with radars that return nothing."""
    return _with_step(cfg, dict(type='GeminiDropSensors', clouds=[RADAR]))


def with_shuffled_cameras(cfg: Config) -> Config:
    """Returns the recipe with the pictures of other samples, calibration kept."""
    cfg = copy.deepcopy(cfg)
    dataset = _test_dataset(cfg)
    dataset.type = 'GeminiShuffledCamerasDataset'
    dataset.pipeline = without_cache(dataset.pipeline)
    return cfg


def read_sensors(cfg: Config) -> List[str]:
    """Returns which of 'cameras', 'LiDAR' and 'radar' the recipe reads in testing."""
    kinds = {step['type'] for step in without_cache(cfg.test_dataloader.dataset.pipeline)}
    return [sensor for loader, sensor in LOADERS.items() if loader in kinds]


def _with_step(cfg: Config, step: Dict[str, Any]) -> Config:
    cfg = copy.deepcopy(cfg)
    dataset = _test_dataset(cfg)
    dataset.pipeline = before_packing(dataset.pipeline, step)
    return cfg


def _test_dataset(cfg: Config) -> Any:
    dataset = cfg.test_dataloader.dataset
    if dataset.type != DATASET:
        raise UserError(f'the test data come from {dataset.type}; expected {DATASET}, whose samples can be '
                        'changed')
    return dataset
