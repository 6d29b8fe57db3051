"""A nuScenes dataset of three samples without sensor files, small enough to score by hand.

scene-0103 (mini_val) has two samples half a second apart, scene-0061 (mini_train) has one. Every
sample holds one object of each detection class within 20 m of the ego vehicle; they move by
SHIFT_M between the samples of scene-0103, so that each has the velocity VELOCITY_MPS there. A
pedestrian without points is added, which must not count.
"""
import json
import math
import pickle
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence

import numpy as np
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from nuscenes.utils.data_classes import Box
from pyquaternion import Quaternion

from geminifusion3d.nuscenes_facts import CLASS_NAMES

VERSION = 'v1.0-mini'
META = {'use_camera': True, 'use_lidar': True, 'use_radar': False, 'use_map': False,
        'use_external': False}
VAL_TOKENS = ('a' * 31 + '0', 'a' * 31 + '1')
TRAIN_TOKEN = 'b' * 32
EGO_XYZ_M = (100.0, 200.0, 0.0)
EGO_QUAT_WXYZ = Quaternion(axis=[0, 0, 1], degrees=30).elements.tolist()
# Mounted as on the real car: turned by -90 degrees, and tilted by 2 degrees.
LIDAR_XYZ_M = (0.944, 0.0, 1.84)
LIDAR_QUAT_WXYZ = (Quaternion(axis=[0, 0, 1], degrees=-90)
                   * Quaternion(axis=[1, 0, 0], degrees=2)).elements.tolist()
SHIFT_M = 1.0
VELOCITY_MPS = (2.0, 0.0)
SIZE_WLH_M = (2.0, 4.0, 1.5)
YAW_RAD = 0.4
QUAT_WXYZ = (math.cos(YAW_RAD / 2), 0.0, 0.0, math.sin(YAW_RAD / 2))
PERSON = 'human.pedestrian.adult'
CATEGORIES = {
    'car': 'vehicle.car', 'truck': 'vehicle.truck', 'construction_vehicle': 'vehicle.construction',
    'bus': 'vehicle.bus.rigid', 'trailer': 'vehicle.trailer', 'barrier': 'movable_object.barrier',
    'motorcycle': 'vehicle.motorcycle', 'bicycle': 'vehicle.bicycle', 'pedestrian': PERSON,
    'traffic_cone': 'movable_object.trafficcone'}
ATTRIBUTES = {
    'motorcycle': 'cycle.with_rider', 'bicycle': 'cycle.with_rider',
    'pedestrian': 'pedestrian.moving', 'barrier': '', 'traffic_cone': ''}
GHOST = 'ghost'

Row = Dict[str, Any]


def object_center_m(class_name: str, step: int) -> List[float]:
    """Returns the global centre of a class's object: a row along y, 4 m apart, at z = 1 m."""
    x, y, z = EGO_XYZ_M
    return [x + 6.0 + step * SHIFT_M, y + 4.0 * CLASS_NAMES.index(class_name) - 18.0, z + 1.0]


def perfect_submission() -> Dict[str, Any]:
    """Returns a submission for mini_val that equals its ground truth."""
    return {'meta': dict(META), 'results': {
        token: _perfect_records(token, step) for step, token in enumerate(VAL_TOKENS)}}


def lidar_boxes(step: int, change: Callable[[Box], None] = lambda box: None) -> LiDARInstance3DBoxes:
    """Returns the objects of a val sample in the LiDAR frame, moved there by the devkit's own Box.

    Args:
        step: 0 or 1, the sample.
        change: alters each box in the global frame, in place.
    """
    rows = []
    for name in CLASS_NAMES:
        box = Box(object_center_m(name, step), SIZE_WLH_M,
                  Quaternion(axis=[0, 0, 1], radians=YAW_RAD), velocity=(*VELOCITY_MPS, 0))
        change(box)
        for xyz_m, quat in ((EGO_XYZ_M, EGO_QUAT_WXYZ), (LIDAR_XYZ_M, LIDAR_QUAT_WXYZ)):
            box.translate([-part for part in xyz_m])
            box.rotate(Quaternion(quat).inverse)
        heading = box.rotation_matrix[:, 0]
        width_m, length_m, height_m = box.wlh
        yaw_rad = math.atan2(heading[1], heading[0])
        rows.append([*box.center, length_m, width_m, height_m, yaw_rad, *box.velocity[:2]])
    return LiDARInstance3DBoxes(torch.tensor(rows), box_dim=9, origin=(0.5, 0.5, 0.5))


def write_ten_objects(root: Path) -> Path:
    """Writes the 13 tables, a map and a splits.json with the split `night`; returns root."""
    folder = root / VERSION
    folder.mkdir(parents=True)
    (root / 'maps').mkdir()
    (root / 'maps' / 'blank.png').write_bytes(b'never opened by the devkit')
    for name, rows in {**_fixed_tables(), **_sample_tables()}.items():
        (folder / f'{name}.json').write_text(json.dumps(rows))
    (folder / 'splits.json').write_text(json.dumps({'night': ['scene-0103']}))
    return root


def write_infos(path: Path, *, split: str = 'mini_val', tokens: Sequence[str] = VAL_TOKENS,
                instances: Sequence[Any] = ({}, )) -> Path:
    """Writes an info file with the fields that the results read; returns its path."""
    frames = [{'sample_idx': index, 'token': token,
               'ego2global': _pose(EGO_QUAT_WXYZ, EGO_XYZ_M), 'timestamp_us': 0,
               'lidar_points': {'lidar2ego': _pose(LIDAR_QUAT_WXYZ, LIDAR_XYZ_M)},
               'instances': list(instances)} for index, token in enumerate(tokens)]
    path.write_bytes(pickle.dumps({
        'metainfo': {'version': VERSION, 'split': split, 'dataset': 'nuscenes', 'categories': {}},
        'data_list': frames}, protocol=4))
    return path


def _perfect_records(token: str, step: int) -> List[Row]:
    return [{
        'sample_token': token, 'translation': object_center_m(name, step),
        'size': list(SIZE_WLH_M), 'rotation': list(QUAT_WXYZ), 'velocity': list(VELOCITY_MPS),
        'detection_name': name, 'detection_score': 0.9,
        'attribute_name': ATTRIBUTES.get(name, 'vehicle.moving')} for name in CLASS_NAMES]


def _pose(quat_wxyz: Sequence[float], translation_m: Sequence[float]) -> List[List[float]]:
    matrix: np.ndarray = Quaternion(quat_wxyz).transformation_matrix
    matrix[:3, 3] = translation_m
    return matrix.tolist()


def _fixed_tables() -> Dict[str, List[Row]]:
    attributes = sorted({'vehicle.moving', *ATTRIBUTES.values()} - {''})
    return {
        'attribute': [{'token': name, 'name': name, 'description': ''} for name in attributes],
        'category': [{'token': name, 'name': name, 'description': ''}
                     for name in CATEGORIES.values()],
        'visibility': [{'token': '4', 'level': 'v80-100', 'description': ''}],
        'sensor': [{'token': 'lidar', 'channel': 'LIDAR_TOP', 'modality': 'lidar'}],
        'calibrated_sensor': [{
            'token': 'lidar', 'sensor_token': 'lidar', 'translation': list(LIDAR_XYZ_M),
            'rotation': LIDAR_QUAT_WXYZ, 'camera_intrinsic': []}],
        'log': [{'token': 'log', 'logfile': 'log', 'vehicle': 'n',
                 'date_captured': '2018-07-24', 'location': 'singapore-onenorth'}],
        'map': [{'token': 'map', 'log_tokens': ['log'], 'category': 'semantic_prior',
                 'filename': 'maps/blank.png'}],
        'scene': [_scene('scene-0061', TRAIN_TOKEN, TRAIN_TOKEN, 1),
                  _scene('scene-0103', *VAL_TOKENS, 2)],
        'instance': [_instance(scene, name) for scene in ('scene-0061', 'scene-0103')
                     for name in (*CLASS_NAMES, GHOST)],
    }


def _sample_tables() -> Dict[str, List[Row]]:
    samples = [(TRAIN_TOKEN, 'scene-0061', 0, '', ''),
               (VAL_TOKENS[0], 'scene-0103', 0, '', VAL_TOKENS[1]),
               (VAL_TOKENS[1], 'scene-0103', 1, VAL_TOKENS[0], '')]
    return {
        'sample': [{'token': token, 'timestamp': 500_000 * step, 'prev': before, 'next': after,
                    'scene_token': scene} for token, scene, step, before, after in samples],
        'sample_data': [_lidar_keyframe(token, step) for token, _, step, _, _ in samples],
        'ego_pose': [{'token': token, 'timestamp': 500_000 * step, 'rotation': EGO_QUAT_WXYZ,
                      'translation': list(EGO_XYZ_M)} for token, _, step, _, _ in samples],
        'sample_annotation': [_annotation(token, scene, step, name)
                              for token, scene, step, _, _ in samples
                              for name in (*CLASS_NAMES, GHOST)],
    }


def _scene(name: str, first: str, last: str, length: int) -> Row:
    return {'token': name, 'log_token': 'log', 'nbr_samples': length, 'name': name,
            'first_sample_token': first, 'last_sample_token': last, 'description': ''}


def _lidar_keyframe(token: str, step: int) -> Row:
    return {'token': token, 'sample_token': token, 'ego_pose_token': token,
            'calibrated_sensor_token': 'lidar', 'timestamp': 500_000 * step, 'fileformat': 'pcd',
            'is_key_frame': True, 'height': 0, 'width': 0, 'filename': f'{token}.pcd.bin',
            'prev': '', 'next': ''}


def _instance(scene: str, name: str) -> Row:
    steps = 1 if scene == 'scene-0061' else 2
    return {'token': f'{scene}{name}', 'category_token': CATEGORIES.get(name, PERSON),
            'nbr_annotations': steps, 'first_annotation_token': f'{scene}{name}0',
            'last_annotation_token': f'{scene}{name}{steps - 1}'}


def _annotation(token: str, scene: str, step: int, name: str) -> Row:
    is_ghost, has_two = name == GHOST, scene == 'scene-0103'
    attribute = 'pedestrian.moving' if is_ghost else ATTRIBUTES.get(name, 'vehicle.moving')
    return {
        'token': f'{scene}{name}{step}', 'sample_token': token, 'instance_token': f'{scene}{name}',
        'visibility_token': '4', 'attribute_tokens': [attribute] if attribute else [],
        'translation': object_center_m('car' if is_ghost else name, step),
        'size': list(SIZE_WLH_M), 'rotation': list(QUAT_WXYZ),
        'prev': f'{scene}{name}0' if has_two and step == 1 else '',
        'next': f'{scene}{name}1' if has_two and step == 0 else '',
        'num_lidar_pts': 0 if is_ghost else 5, 'num_radar_pts': 0}
