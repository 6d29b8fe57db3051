"""The dataset as the report needs it: samples of a split, boxes that count, and one sample's pictures.

Ground truth and predictions pass through the devkit's own filters (class range, at least one point, no
bicycle racks), so that the pictures show what the metric counts.
"""
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import load_gt_of_sample_tokens
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.frames import invert_pose, pose
from geminifusion3d.paths import inside
from geminifusion3d.results.devkit_eval import EVAL_CONFIG, quiet
from geminifusion3d.submission.split_samples import scene_names
from geminifusion3d.submission.submission import InvalidSubmission, read_samples

from ..analysis.evaluated_boxes import filtered
from .verdicts import Verdicts

# As they sit around the car, front row first.
RIG = (('CAM_FRONT_LEFT', 'CAM_FRONT', 'CAM_FRONT_RIGHT'), ('CAM_BACK_LEFT', 'CAM_BACK', 'CAM_BACK_RIGHT'))

Records = Mapping[str, Sequence[Mapping[str, Any]]]


def split_tokens(nusc: NuScenes, split: str) -> Dict[str, List[str]]:
    """Returns {scene name: its sample tokens in time order} of the scenes of `split` here, at least one."""
    names = scene_names(Path(nusc.table_root), nusc.version, split)
    tokens = {scene['name']: _scene_tokens(nusc, scene) for scene in nusc.scene if scene['name'] in names}
    if not tokens:
        raise UserError(f'version {nusc.version} holds no scene of split {split!r}; '
                        f'check --version and --split')
    return dict(sorted(tokens.items()))


def _scene_tokens(nusc: NuScenes, scene: Mapping[str, Any]) -> List[str]:
    tokens, token = [], scene['first_sample_token']
    while token:
        tokens.append(token)
        token = nusc.get('sample', token)['next']
    return tokens


def choose_tokens(tokens_of_scene: Mapping[str, Sequence[str]], count: int) -> List[str]:
    """Chooses `count` samples spread over the scenes and, within a scene, over its time.

    The scenes are taken in turn; a scene that gives k samples gives the middles of its k equal
    parts. Shorter scenes give what they have.
    """
    quota = {name: 0 for name in tokens_of_scene}
    left = min(count, sum(len(tokens) for tokens in tokens_of_scene.values()))
    while left > 0:
        for name, tokens in tokens_of_scene.items():
            if left > 0 and quota[name] < len(tokens):
                quota[name] += 1
                left -= 1
    return [tokens_of_scene[name][(2 * i + 1) * len(tokens_of_scene[name]) // (2 * k)]
            for name, k in quota.items() for i in range(k)]


def sample_names(nusc: NuScenes, tokens_of_scene: Mapping[str, Sequence[str]]) -> Dict[str, str]:
    """Returns scene and second of every sample, such as 'scene-0103, 3.5 s'."""
    names = {}
    for scene, tokens in tokens_of_scene.items():
        times_us = [nusc.get('sample', token)['timestamp'] for token in tokens]
        names.update({token: f'{scene}, {(time_us - times_us[0]) / 1e6:.1f} s'
                      for token, time_us in zip(tokens, times_us)})
    return names


def read_results(path: Path, tokens: Optional[Collection[str]] = None) -> Records:
    """Reads {sample token: boxes} of a submission file, of these samples or of all."""
    return {token: records for token, records in _samples_of(path) if tokens is None or token in tokens}


def count_results(path: Path, min_score: float = 0.0) -> Tuple[Dict[str, int], Dict[str, int]]:
    """Returns the number of boxes of each sample of a submission file, and of each class from a score on."""
    by_sample: Dict[str, int] = {}
    by_class: 'Counter[str]' = Counter()
    for token, records in _samples_of(path):
        by_sample[token] = len(records)
        by_class.update(count_predictions({token: records}, min_score))
    return by_sample, dict(by_class)


def _samples_of(path: Path) -> Iterator[Tuple[str, Sequence[Mapping[str, Any]]]]:
    try:
        yield from read_samples(path)
    except InvalidSubmission as error:
        raise UserError(f'{path} is no submission ({error}); expected what gemini3d export writes') from error


def truth_boxes(nusc: NuScenes, tokens: Sequence[str]) -> Dict[str, List[DetectionBox]]:
    """Returns {sample token: boxes that the metric counts}; all empty without annotations."""
    if not nusc.sample_annotation:
        return {token: [] for token in tokens}
    with quiet():
        truth = load_gt_of_sample_tokens(nusc, list(tokens), DetectionBox)
        return dict(filtered(nusc, truth, config_factory(EVAL_CONFIG)))


def predicted_boxes(nusc: NuScenes, results: Records, tokens: Sequence[str]) -> Dict[str, List[DetectionBox]]:
    """Returns {sample token: filtered predictions, best first} of the chosen samples only."""
    boxes = EvalBoxes()
    for token in tokens:
        try:
            found = [DetectionBox.deserialize(dict(box)) for box in results.get(token, [])]
            if any(box.detection_score < 0 for box in found):
                raise ValueError('a score is missing or negative')
        except (KeyError, TypeError, ValueError, AssertionError) as error:
            raise UserError(f'a predicted box of sample {token} is invalid ({type(error).__name__}: '
                            f'{error}); run gemini3d validate on the file') from error
        boxes.add_boxes(token, sorted(found, key=lambda box: -box.detection_score))
    return dict(filtered(nusc, boxes, config_factory(EVAL_CONFIG)))


def count_classes(boxes: Mapping[str, Sequence[DetectionBox]]) -> Dict[str, int]:
    """Counts boxes by class over all samples."""
    return dict(Counter(box.detection_name for found in boxes.values() for box in found))


def count_predictions(results: Records, min_score: float) -> Dict[str, int]:
    """Counts predictions by class with at least `min_score`, unfiltered."""
    try:
        return dict(Counter(box['detection_name'] for found in results.values() for box in found
                            if box['detection_score'] >= min_score))
    except (KeyError, TypeError) as error:
        raise UserError(f'a predicted box lacks a class or a score ({type(error).__name__}: '
                        f'{error}); run gemini3d validate on the file') from error


@dataclass(frozen=True)
class Camera:
    """One picture of a sample; `cam_from_global` holds at the moment of this camera.

    `raw_hw` is the size to which `intrinsic` belongs, None where the tables do not say it.
    """

    channel: str
    image_path: Path
    intrinsic: np.ndarray
    cam_from_global: np.ndarray
    raw_hw: Optional[Tuple[int, int]] = None


@dataclass(frozen=True)
class Sample:
    """One keyframe with its boxes in the global frame; ego poses are those at LiDAR time.

    `verdicts` say which boxes of truth and predictions match, None where that is not known;
    `other_predictions` are those of a second model.
    """

    token: str
    scene_name: str
    description: str
    second_in_scene: float
    cameras: Tuple[Camera, ...]
    lidar_path: Path
    ego_from_lidar: np.ndarray
    ego_from_global: np.ndarray
    truth: Tuple[DetectionBox, ...]
    predictions: Tuple[DetectionBox, ...]
    other_predictions: Tuple[DetectionBox, ...] = ()
    verdicts: Optional[Verdicts] = None


def read_sample(nusc: NuScenes, token: str, *, truth: Sequence[DetectionBox],
                predictions: Sequence[DetectionBox],
                other_predictions: Sequence[DetectionBox] = (),
                verdicts: Optional[Verdicts] = None) -> Sample:
    """Collects everything that one sample's pictures need."""
    record = nusc.get('sample', token)
    scene = nusc.get('scene', record['scene_token'])
    first = nusc.get('sample', scene['first_sample_token'])
    lidar = nusc.get('sample_data', record['data']['LIDAR_TOP'])
    ego_from_lidar, global_from_ego = _sensor_poses(nusc, lidar)
    return Sample(
        token=token, scene_name=scene['name'], description=scene['description'],
        second_in_scene=(record['timestamp'] - first['timestamp']) / 1e6,
        cameras=tuple(_read_camera(nusc, record['data'][channel])
                      for row in RIG for channel in row if channel in record['data']),
        lidar_path=Path(inside(nusc.dataroot, lidar['filename'])), ego_from_lidar=ego_from_lidar,
        ego_from_global=invert_pose(global_from_ego), truth=tuple(truth),
        predictions=tuple(predictions), other_predictions=tuple(other_predictions),
        verdicts=verdicts)


def _read_camera(nusc: NuScenes, sample_data_token: str) -> Camera:
    record = nusc.get('sample_data', sample_data_token)
    ego_from_cam, global_from_ego = _sensor_poses(nusc, record)
    calibrated = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
    return Camera(channel=record['channel'], image_path=Path(inside(nusc.dataroot, record['filename'])),
                  intrinsic=np.array(calibrated['camera_intrinsic'], dtype=np.float64),
                  cam_from_global=invert_pose(global_from_ego @ ego_from_cam),
                  raw_hw=(record['height'], record['width']) if record.get('height') else None)


def _sensor_poses(nusc: NuScenes, record: Mapping[str, Any]) -> Tuple[np.ndarray, np.ndarray]:
    """Returns (ego_from_sensor, global_from_ego) of one sample_data record."""
    calibrated = nusc.get('calibrated_sensor', record['calibrated_sensor_token'])
    ego = nusc.get('ego_pose', record['ego_pose_token'])
    return (pose(calibrated['rotation'], calibrated['translation']),
            pose(ego['rotation'], ego['translation']))
