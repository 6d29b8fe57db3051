"""A world of two scenes with two samples each, small enough to compute every number by hand.

The ego stands at the global origin and looks along global x. All sensors sit in the ego's origin;
CAM_FRONT looks forward, CAM_BACK backward, the others to their sides. Every image is 160 x 90 with
focal length 100 and principal point (80, 45).
"""
import json
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
from nuscenes import NuScenes
from nuscenes.eval.common.config import config_factory
from nuscenes.eval.detection.evaluate import DetectionEval
from PIL import Image
from pyquaternion import Quaternion

from gemini_lab.report.analysis import Analysis, TwoModels, analyse, two_models
from gemini_lab.report.metric_files import read_metrics

HEADINGS_DEG = {'CAM_FRONT': 0, 'CAM_FRONT_LEFT': 55, 'CAM_FRONT_RIGHT': -55, 'CAM_BACK': 180,
                'CAM_BACK_LEFT': 110, 'CAM_BACK_RIGHT': -110}
INTRINSIC = [[100.0, 0, 80.0], [0, 100.0, 45.0], [0, 0, 1.0]]
# Camera axes (right, down, forward) in the ego frame (forward, left, up) at heading 0.
EGO_FROM_CAM = Quaternion(matrix=np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
SCENES = ('scene-0103', 'scene-0916')
# Class, centre in metres, size w l h: a car ahead, a pedestrian behind, a car beyond 50 m.
OBJECTS = (('vehicle.car', (10.0, 0.0, 0.0), (2.0, 4.0, 2.0)),
           ('human.pedestrian.adult', (-8.0, 1.0, 0.0), (0.6, 0.6, 1.8)),
           ('vehicle.car', (70.0, 0.0, 0.0), (2.0, 4.0, 2.0)))
ATTRIBUTES = {'vehicle.car': 'vehicle.parked', 'human.pedestrian.adult': 'pedestrian.standing'}


def sensor_tables() -> Dict[str, List[Dict[str, Any]]]:
    """Returns what does not change between samples."""
    calibrated = [{'token': f'calib-{name}', 'sensor_token': name, 'translation': [0.0, 0.0, 0.0],
                   'rotation': (Quaternion(axis=[0, 0, 1], degrees=degrees)
                                * EGO_FROM_CAM).elements.tolist(),
                   'camera_intrinsic': INTRINSIC} for name, degrees in HEADINGS_DEG.items()]
    calibrated.append({'token': 'calib-LIDAR_TOP', 'sensor_token': 'LIDAR_TOP',
                       'translation': [0.0, 0.0, 0.0], 'rotation': [1.0, 0.0, 0.0, 0.0],
                       'camera_intrinsic': []})
    sensors = [{'token': row['sensor_token'], 'channel': row['sensor_token'],
                'modality': 'lidar' if 'LIDAR' in row['sensor_token'] else 'camera'}
               for row in calibrated]
    return {
        'calibrated_sensor': calibrated, 'sensor': sensors,
        'category': [{'token': name, 'name': name, 'description': ''} for name in ATTRIBUTES],
        'attribute': [{'token': name, 'name': name, 'description': ''}
                      for name in ATTRIBUTES.values()],
        'visibility': [{'token': '4', 'level': 'v80-100', 'description': ''}],
        'log': [{'token': 'log', 'logfile': 'log', 'vehicle': 'v', 'date_captured': '2026-01-01',
                 'location': 'singapore-onenorth'}],
        'map': [{'token': 'map', 'log_tokens': ['log'], 'category': 'semantic_prior',
                 'filename': 'maps/map.png'}]}


def sample_tables(root: Path) -> Dict[str, List[Dict[str, Any]]]:
    """Returns the tables of scenes and samples; writes their sensor files."""
    tables: Dict[str, List[Dict[str, Any]]] = {
        name: [] for name in ('scene', 'sample', 'sample_data', 'ego_pose', 'instance',
                              'sample_annotation')}
    for scene in SCENES:
        tokens = [f'{scene}-a', f'{scene}-b']
        tables['scene'].append({
            'token': scene, 'log_token': 'log', 'nbr_samples': 2, 'name': scene,
            'first_sample_token': tokens[0], 'last_sample_token': tokens[1],
            'description': 'A <quiet> street & nobody'})
        for index, token in enumerate(tokens):
            tables['sample'].append({
                'token': token, 'timestamp': 1_000_000 + 500_000 * index, 'scene_token': scene,
                'prev': tokens[0] if index else '', 'next': '' if index else tokens[1]})
            add_sensor_data(root, token, tables)
            add_annotations(token, tables)
    return tables


def add_sensor_data(root: Path, token: str, tables: Dict[str, List[Dict[str, Any]]]) -> None:
    """Adds six images and a sweep of three points."""
    for channel in (*HEADINGS_DEG, 'LIDAR_TOP'):
        is_lidar = channel == 'LIDAR_TOP'
        name = f'samples/{channel}/{token}.{"pcd.bin" if is_lidar else "jpg"}'
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if is_lidar:
            np.array([[10, 0, 0, 1, 0], [10, 0, 2, 1, 0], [-5, 5, 1, 1, 0]],
                     dtype='<f4').tofile(root / name)
        else:
            Image.new('RGB', (160, 90), (90, 120, 150)).save(root / name)
        tables['sample_data'].append({
            'token': f'{token}-{channel}', 'sample_token': token, 'ego_pose_token':
            f'{token}-{channel}', 'calibrated_sensor_token': f'calib-{channel}',
            'timestamp': 1_000_000, 'fileformat': 'pcd' if is_lidar else 'jpg',
            'is_key_frame': True, 'height': 90, 'width': 160, 'filename': name, 'prev': '',
            'next': ''})
        tables['ego_pose'].append({
            'token': f'{token}-{channel}', 'timestamp': 1_000_000,
            'rotation': [1.0, 0.0, 0.0, 0.0], 'translation': [0.0, 0.0, 0.0]})


def add_annotations(token: str, tables: Dict[str, List[Dict[str, Any]]]) -> None:
    """Adds the three objects."""
    for index, (category, centre_m, size_m) in enumerate(OBJECTS):
        name = f'{token}-{index}'
        tables['instance'].append({
            'token': name, 'category_token': category, 'nbr_annotations': 1,
            'first_annotation_token': name, 'last_annotation_token': name})
        tables['sample_annotation'].append({
            'token': name, 'sample_token': token, 'instance_token': name, 'visibility_token': '4',
            'attribute_tokens': [ATTRIBUTES[category]], 'translation': list(centre_m),
            'size': list(size_m), 'rotation': [1.0, 0.0, 0.0, 0.0], 'prev': '', 'next': '',
            'num_lidar_pts': 5, 'num_radar_pts': 0})


def predicted(token: str, name: str, x_m: float, y_m: float, score: float) -> Dict[str, Any]:
    """Returns a submission record of an upright car-sized or person-sized box."""
    is_car = name == 'car'
    return {'sample_token': token, 'translation': [x_m, y_m, 0.0],
            'size': [2.0, 4.0, 2.0] if is_car else [0.6, 0.6, 1.8],
            'rotation': [1.0, 0.0, 0.0, 0.0], 'velocity': [2.0, 0.0], 'detection_name': name,
            'detection_score': score,
            'attribute_name': 'vehicle.parked' if is_car else 'pedestrian.standing'}


@pytest.fixture(scope='session')
def tiny_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the dataset."""
    root = tmp_path_factory.mktemp('tiny')
    (root / 'maps').mkdir()
    Image.new('L', (8, 8)).save(root / 'maps' / 'map.png')
    (root / 'v1.0-mini').mkdir()
    for name, rows in {**sensor_tables(), **sample_tables(root)}.items():
        (root / 'v1.0-mini' / f'{name}.json').write_text(json.dumps(rows))
    return root


@pytest.fixture(scope='session')
def tiny_nusc(tiny_root: Path) -> NuScenes:
    """The dataset, opened by the devkit."""
    return NuScenes('v1.0-mini', str(tiny_root), verbose=False)


def evaluated_folder(nusc: NuScenes, folder: Path, boxes: List[Tuple]) -> Path:
    """Fills a folder as evaluation leaves it, by the devkit; the same boxes in every sample."""
    results = {row['token']: [predicted(row['token'], *box) for box in boxes] for row in nusc.sample}
    meta = {f'use_{name}': name in ('camera', 'lidar')
            for name in ('camera', 'lidar', 'radar', 'map', 'external')}
    path = folder / 'results_nusc.json'
    path.write_text(json.dumps({'meta': meta, 'results': results}))
    DetectionEval(nusc, config_factory('detection_cvpr_2019'), str(path), 'mini_val',
                  str(folder), verbose=False).main(render_curves=False)
    return folder


@pytest.fixture(scope='session')
def metrics_dir(tiny_nusc: NuScenes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good car, a poor pedestrian, a car that is not there."""
    return evaluated_folder(tiny_nusc, tmp_path_factory.mktemp('metrics'), [
        ('car', 10.1, 0.0, 0.9), ('pedestrian', -8.0, 2.5, 0.4), ('car', 20.0, 8.0, 0.1)])


@pytest.fixture(scope='session')
def other_dir(tiny_nusc: NuScenes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model: no car, a good pedestrian."""
    return evaluated_folder(tiny_nusc, tmp_path_factory.mktemp('other'), [
        ('pedestrian', -8.0, 1.0, 0.8), ('car', 20.0, 8.0, 0.6)])


@pytest.fixture(scope='session')
def analysis(tiny_nusc: NuScenes, metrics_dir: Path) -> Analysis:
    """The first model's results, taken apart."""
    return analyse(metrics_dir / 'results_nusc.json', tiny_nusc, 'mini_val',
                   read_metrics(metrics_dir), resamples=5)


@pytest.fixture(scope='session')
def models(tiny_nusc: NuScenes, metrics_dir: Path, other_dir: Path, analysis: Analysis) -> TwoModels:
    """Both models."""
    other = analyse(other_dir / 'results_nusc.json', tiny_nusc, 'mini_val', read_metrics(other_dir),
                    resamples=5)
    return two_models((metrics_dir, other_dir), (read_metrics(metrics_dir), read_metrics(other_dir)),
                      (analysis, other))
