"""A submission as large as the real ones, with the tables to judge it by; for measurements.

By default as large as the full test split: 6008 samples of 500 boxes, 1.4 GB.

Example:
    python tests/support/large_submission.py --out /tmp/large
    /usr/bin/time -v python tools/validate_submission.py /tmp/large/results.json \
        --dataroot /tmp/large --version v1.0-test --split test
"""
import argparse
import json
import math
from pathlib import Path
from typing import Any, Dict, List

import numpy as np

VERSION, SPLIT = 'v1.0-test', 'test'
SCENE_NAME = 'scene-0077'
EGO_XYZ_M = (1000.0, 2000.0, 0.0)
META = {'use_camera': True, 'use_lidar': True, 'use_radar': False, 'use_map': False,
        'use_external': False}
ATTRIBUTE_OF = {'car': 'vehicle.parked', 'pedestrian': 'pedestrian.moving', 'traffic_cone': ''}
# So many samples differ from each other; the others repeat them under their own token.
TEMPLATES = 8


def sample_token(index: int) -> str:
    """Returns the token of a sample."""
    return f'{index:032x}'


def write_large(out: Path, *, samples: int, boxes: int) -> Path:
    """Writes tables and results.json under `out`; returns the path of the latter."""
    write_tables(out / VERSION, samples)
    token_in_template = '#' * 32
    templates = [json.dumps(_records(token_in_template, boxes, seed)) for seed in range(TEMPLATES)]
    path = out / 'results.json'
    with path.open('w') as file:
        file.write(f'{{"meta": {json.dumps(META)}, "results": {{')
        for index in range(samples):
            token = sample_token(index)
            records = templates[index % TEMPLATES].replace(token_in_template, token)
            file.write(f'{", " if index else ""}"{token}": {records}')
        file.write('}}')
    return path


def write_tables(folder: Path, samples: int) -> None:
    """Writes the tables that name the samples of the split and where the ego vehicle was."""
    folder.mkdir(parents=True)
    tokens = [sample_token(index) for index in range(samples)]
    tables: Dict[str, List[Dict[str, Any]]] = {
        'scene': [{'token': 'scene', 'name': SCENE_NAME}],
        'sample': [{'token': token, 'scene_token': 'scene'} for token in tokens],
        'sensor': [{'token': 'lidar', 'channel': 'LIDAR_TOP'}],
        'calibrated_sensor': [{'token': 'lidar', 'sensor_token': 'lidar'}],
        'sample_data': [{'token': token, 'sample_token': token, 'ego_pose_token': token,
                         'calibrated_sensor_token': 'lidar', 'is_key_frame': True} for token in tokens],
        'ego_pose': [{'token': token, 'translation': list(EGO_XYZ_M)} for token in tokens]}
    for name, rows in tables.items():
        (folder / f'{name}.json').write_text(json.dumps(rows))


def _records(token: str, boxes: int, seed: int) -> List[Dict[str, Any]]:
    """Returns sound boxes within 60 m of the ego vehicle, numbers with all their digits."""
    generator = np.random.default_rng(seed)
    yaw_rad = generator.uniform(-math.pi, math.pi, boxes)
    center_m = generator.uniform(-40, 40, (boxes, 3)) + EGO_XYZ_M
    size_m = generator.uniform(0.5, 5, (boxes, 3))
    velocity_mps = generator.normal(0, 3, (boxes, 2))
    score = generator.uniform(0.01, 0.99, boxes)
    names = generator.choice(list(ATTRIBUTE_OF), boxes).tolist()
    return [{
        'sample_token': token, 'translation': center_m[i].tolist(), 'size': size_m[i].tolist(),
        'rotation': [math.cos(yaw_rad[i] / 2), 0.0, 0.0, math.sin(yaw_rad[i] / 2)],
        'velocity': velocity_mps[i].tolist(), 'detection_name': names[i],
        'detection_score': float(score[i]), 'attribute_name': ATTRIBUTE_OF[names[i]],
    } for i in range(boxes)]


if __name__ == '__main__':
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='a folder that does not exist yet')
    parser.add_argument('--samples', type=int, default=6008, help='default: 6008')
    parser.add_argument('--boxes', type=int, default=500, help='of each sample, default: 500')
    arguments = parser.parse_args()
    print(write_large(arguments.out, samples=arguments.samples, boxes=arguments.boxes))
