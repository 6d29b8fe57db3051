"""The annotated boxes of one scene as info records in their keyframe's LiDAR frame, computed at once.

Differences from `nuscenes_converter.py` of mmdet3d: all 23 categories are kept, and a box counts as
valid if LiDAR or radar saw it, as in the devkit's filter of the ground truth.
"""
from functools import lru_cache
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes

from ..errors import UserError
from ..geometry.frames import invert_pose, rotation_matrix
from ..nuscenes_facts import CLASS_NAMES
from .findings import Findings
from .nuscenes_tables import get_row
from .sensor_poses import sound_numbers, sound_poses

MICROSECONDS = 1e-6
VOID_LABEL = -1
# A velocity over a longer time is unknown; from the sight before to the next one it may be twice.
LONGEST_BETWEEN_SIGHTS_S = 1.5
# No road user is that long or that fast; the numbers are slips.
LONGEST_SIDE_M, FASTEST_MPS = 200.0, 100.0
LEAST_UPRIGHT, CAR = 0.7, 'vehicle.car'

Info = Dict[str, Any]


def instance_infos(nusc: NuScenes, samples: Sequence[Info], global_from_lidar: np.ndarray,
                   findings: Optional[Findings] = None) -> List[List[Info]]:
    """Builds the records of each keyframe's boxes, void ones with label -1.

    Args:
        nusc: the opened tables.
        samples: rows of the sample table.
        global_from_lidar: (number of samples, 4, 4), the LiDAR's pose in each.
        findings: takes note of boxes that are left out and velocities that are unknown.

    Raises:
        UserError: if an annotation has more than one attribute, or the tables do not fit together.
    """
    findings = findings or Findings()
    rows = [get_row(nusc, 'sample_annotation', token) for sample in samples for token in sample['anns']]
    is_sound = _are_boxes(rows, findings)
    owners = np.repeat(np.arange(len(samples)), np.array(
        [len(sample['anns']) for sample in samples], int))[is_sound]
    annotations = [row for row, sound in zip(rows, is_sound) if sound]
    lidar_from_global = invert_pose(global_from_lidar)[owners]
    turn = lidar_from_global[:, :3, :3]
    centers_global_m = _column(annotations, 'translation', 3)
    centers_m = (turn @ centers_global_m[:, :, None])[..., 0] + lidar_from_global[:, :3, 3]
    # The box's own x axis, seen from the LiDAR: what leans out of the xy plane is not in the yaw.
    heading = (turn @ rotation_matrix(_column(annotations, 'rotation', 4)))[:, :2, 0]
    yaws = np.arctan2(heading[:, 1], heading[:, 0])
    up = rotation_matrix(_column(annotations, 'rotation', 4))[:, 2, 2]
    for index in np.flatnonzero(up < LEAST_UPRIGHT):
        findings.add('boxes that do not stand upright: is their rotation w, x, y, z?',
                     f'annotation {annotations[index]["token"]}')
    lwh_m = _column(annotations, 'size', 3)[:, [1, 0, 2]]
    boxes = np.column_stack([centers_m, lwh_m, yaws]).tolist()
    velocities_mps = (turn @ velocities_global_mps(nusc, annotations, findings)
                      [:, :, None])[:, :2, 0].tolist()
    infos: List[List[Info]] = [[] for _ in samples]
    for owner, *one in zip(owners, annotations, boxes, velocities_mps):
        infos[owner].append(_instance_info(nusc, *one))
        findings.boxes[one[0]['category_name']] += 1
        findings.wide_cars += one[0]['category_name'] == CAR and one[1][3] < one[1][4]
    return infos


def _are_boxes(rows: Sequence[Info], findings: Findings) -> np.ndarray:
    """Says which annotations are boxes that geometry and a loss can hold."""
    _, are_poses = sound_poses(rows)
    sizes_m, are_sizes = sound_numbers([row['size'] for row in rows], 3)
    are_sizes &= ((sizes_m > 0) & (sizes_m < LONGEST_SIDE_M)).all(axis=1)
    are_counts = np.array([all(isinstance(row[key], int) and row[key] >= 0
                               for key in ('num_lidar_pts', 'num_radar_pts')) for row in rows], dtype=bool)
    for what, are_sound in (('rotation or translation', are_poses), ('size', are_sizes),
                            ('number of points', are_counts)):
        wrong = np.flatnonzero(~are_sound)
        if len(wrong):
            findings.add(f'boxes left out: the {what} is not usable',
                         f'annotation {rows[wrong[0]]["token"]}', len(wrong))
    return are_poses & are_sizes & are_counts


def velocities_global_mps(nusc: NuScenes, annotations: Sequence[Info], findings: Optional[Findings] = None
                          ) -> np.ndarray:
    """Returns (N, 3), from the sight of an object before to the next one; NaN where unknown.

    What nuscenes-devkit 1.2.0 `NuScenes.box_velocity` does one by one, and unknown where the time between
    the sights is not positive or the speed is none of a road user.

    Args:
        nusc: the opened tables.
        annotations: N rows of the sample_annotation table.
        findings: takes note of velocities that should be known.
    """
    before, after = ([get_row(nusc, 'sample_annotation', one[side]) if one[side] else one
                      for one in annotations]
                     for side in ('prev', 'next'))
    (from_m, is_from), (to_m, is_to) = (sound_numbers([one['translation'] for one in some], 3)
                                        for some in (before, after))
    seconds = _times_s(nusc, after) - _times_s(nusc, before)
    num_spans = np.array([bool(one['prev']) + bool(one['next']) for one in annotations], dtype=int)
    is_asked = (num_spans > 0) & ~(seconds > LONGEST_BETWEEN_SIGHTS_S * num_spans)
    is_known = is_asked & is_from & is_to & (seconds > 0)
    velocities = (to_m - from_m) / np.where(is_known, seconds, np.nan)[:, None]
    velocities[~(np.linalg.norm(velocities[:, :2], axis=1) <= FASTEST_MPS)] = np.nan
    lost = np.flatnonzero(is_asked & np.isnan(velocities[:, 0]))
    if findings is not None and len(lost):
        findings.add('velocities unknown: the times of the sights do not grow, or beyond '
                     f'{FASTEST_MPS:.0f} m/s',
                     f'annotation {annotations[lost[0]]["token"]}', len(lost))
    return velocities


def _column(rows: Sequence[Info], name: str, width: int) -> np.ndarray:
    return np.array([row[name] for row in rows], dtype=np.float64).reshape(-1, width)


def _times_s(nusc: NuScenes, annotations: Sequence[Info]) -> np.ndarray:
    """Returns (N,) seconds, NaN where a timestamp is no number."""
    times_us = [get_row(nusc, 'sample', one['sample_token'])['timestamp'] for one in annotations]
    numbers, is_sound = sound_numbers([[value] for value in times_us], 1)
    return np.where(is_sound, MICROSECONDS * numbers[:, 0], np.nan)


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
    return get_row(nusc, 'attribute', tokens[0])['name'] if tokens else ''


def _visibility(token: str) -> Optional[int]:
    return int(token) if token in ('1', '2', '3', '4') else None
