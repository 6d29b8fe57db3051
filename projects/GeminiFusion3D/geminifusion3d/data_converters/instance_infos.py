"""The annotated boxes of one scene as info records in their keyframe's LiDAR frame, computed at once.

Differences from the host's `nuscenes_converter.py`: all 23 categories are kept, and a box counts as
valid if LiDAR or radar saw it, as in the devkit's filter of the ground truth.
"""
from functools import lru_cache
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes

from ..nuscenes_facts import CLASS_NAMES
from ..errors import UserError
from ..geometry.frames import invert_pose, rotation_matrix

MICROSECONDS = 1e-6
VOID_LABEL = -1
# A velocity over a longer time is unknown; from the sight before to the next one it may be twice.
LONGEST_BETWEEN_SIGHTS_S = 1.5

Info = Dict[str, Any]


def instance_infos(nusc: NuScenes, samples: Sequence[Info], global_from_lidar: np.ndarray
                   ) -> List[List[Info]]:
    """Builds the records of each keyframe's boxes, void ones with label -1.

    Args:
        nusc: the opened tables.
        samples: rows of the sample table.
        global_from_lidar: (number of samples, 4, 4), the LiDAR's pose in each.

    Raises:
        UserError: if an annotation has more than one attribute.
    """
    annotations = [nusc.get('sample_annotation', token) for sample in samples for token in sample['anns']]
    counts = [len(sample['anns']) for sample in samples]
    lidar_from_global = invert_pose(global_from_lidar).repeat(counts, axis=0)
    turn = lidar_from_global[:, :3, :3]
    centers_global_m = _column(annotations, 'translation', 3)
    centers_m = (turn @ centers_global_m[:, :, None])[..., 0] + lidar_from_global[:, :3, 3]
    # The box's own x axis, seen from the LiDAR: what leans out of the xy plane is not in the yaw.
    heading = (turn @ rotation_matrix(_column(annotations, 'rotation', 4)))[:, :2, 0]
    yaws = np.arctan2(heading[:, 1], heading[:, 0])
    lwh_m = _column(annotations, 'size', 3)[:, [1, 0, 2]]
    boxes = np.column_stack([centers_m, lwh_m, yaws]).tolist()
    velocities_mps = (turn @ velocities_global_mps(nusc, annotations)[:, :, None])[:, :2, 0].tolist()
    records = iter([_instance_info(nusc, *one) for one in zip(annotations, boxes, velocities_mps)])
    return [[next(records) for _ in range(count)] for count in counts]


def velocities_global_mps(nusc: NuScenes, annotations: Sequence[Info]) -> np.ndarray:
    """Returns (N, 3), from the sight of an object before to the next one; NaN where unknown.

    What nuscenes-devkit 1.2.0 `NuScenes.box_velocity` does one by one.

    Args:
        nusc: the opened tables.
        annotations: N rows of the sample_annotation table.
    """
    before, after = ([nusc.get('sample_annotation', one[side]) if one[side] else one for one in annotations]
                     for side in ('prev', 'next'))
    moved_m = _column(after, 'translation', 3) - _column(before, 'translation', 3)
    seconds = _times_s(nusc, after) - _times_s(nusc, before)
    num_spans = np.array([bool(one['prev']) + bool(one['next']) for one in annotations], dtype=int)
    is_known = (num_spans > 0) & (seconds <= LONGEST_BETWEEN_SIGHTS_S * num_spans)
    return moved_m / np.where(is_known, seconds, np.nan)[:, None]


def _column(rows: Sequence[Info], name: str, width: int) -> np.ndarray:
    return np.array([row[name] for row in rows], dtype=np.float64).reshape(-1, width)


def _times_s(nusc: NuScenes, annotations: Sequence[Info]) -> np.ndarray:
    times_us = [nusc.get('sample', one['sample_token'])['timestamp'] for one in annotations]
    return MICROSECONDS * np.array(times_us, dtype=np.int64)


def _instance_info(nusc: NuScenes, annotation: Info, box: List[float], velocity_mps: List[float]) -> Info:
    label = _label(annotation['category_name'])
    return {
        'bbox_label': label,
        'bbox_label_3d': label,
        'category': annotation['category_name'],
        'bbox_3d': box,
        'velocity': velocity_mps,
        'num_lidar_pts': annotation['num_lidar_pts'],
        'num_radar_pts': annotation['num_radar_pts'],
        'bbox_3d_isvalid': annotation['num_lidar_pts'] + annotation['num_radar_pts'] > 0,
        'attribute': _attribute(nusc, annotation),
        'visibility': _visibility(annotation['visibility_token']),
        'instance_token': annotation['instance_token'],
        'annotation_token': annotation['token'],
    }


@lru_cache(maxsize=None)
def _label(category: str) -> int:
    name = category_to_detection_name(category)
    return VOID_LABEL if name is None else CLASS_NAMES.index(name)


def _attribute(nusc: NuScenes, annotation: Info) -> str:
    tokens = annotation['attribute_tokens']
    if len(tokens) > 1:
        raise UserError(f'annotation {annotation["token"]} has {len(tokens)} attributes; expected '
                        'none or one, more cannot be evaluated')
    return nusc.get('attribute', tokens[0])['name'] if tokens else ''


def _visibility(token: str) -> Optional[int]:
    return int(token) if token else None
