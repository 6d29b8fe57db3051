"""Annotations -> info records -> the model's boxes -> results: they must come back unchanged."""
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from nuscenes import NuScenes
from nuscenes.eval.common.utils import quaternion_yaw
from pyquaternion import Quaternion

from geminifusion3d.data_converters.nuscenes_infos import scene_infos
from geminifusion3d.nuscenes_facts import CLASS_NAMES, attribute_by_speed
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.results.evaluated_split import KeyFrame
from geminifusion3d.results.nuscenes_boxes import to_global_boxes

Pair = Tuple[Dict[str, Any], Dict[str, Any], np.ndarray]


def pairs(tables: NuScenes) -> List[Pair]:
    """Each record with the annotation it came from and that one's velocity, scene by scene."""
    found = []
    for scene in tables.scene:
        for info in scene_infos(tables, scene['token'], max_sweeps=0):
            # Scores that fall with the index keep the records in the order of the instances.
            known = [one for one in info['instances'] if one['bbox_label_3d'] >= 0]
            records = records_of(info, known)
            for record, one in zip(records, known):
                token = one['annotation_token']
                found.append((record, tables.get('sample_annotation', token),
                              tables.box_velocity(token)))
    return found


def records_of(info: Dict[str, Any], instances: List[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Passes annotated boxes through the model's box format, as if they were predicted."""
    global_from_ego = np.array(info['ego2global'])
    frame = KeyFrame(
        token=info['token'], ego_xy_global_m=global_from_ego[:2, 3],
        global_from_lidar=global_from_ego @ np.array(info['lidar_points']['lidar2ego']))
    rows = [[*one['bbox_3d'], *np.nan_to_num(one['velocity'])] for one in instances]
    boxes = LiDARInstance3DBoxes(torch.tensor(rows, dtype=torch.float32).reshape(-1, 9),
                                 box_dim=9, origin=(0.5, 0.5, 0.5))
    converted = to_global_boxes(
        boxes=boxes, scores=torch.linspace(1, 0.1, len(rows)),
        labels=torch.tensor([one['bbox_label_3d'] for one in instances], dtype=torch.long),
        class_names=CLASS_NAMES, frame=frame, within_class_range=False)
    assert converted.n_degenerate == 0
    return converted.records()


def check(found: List[Pair], *, yaw_tolerance_rad: float, velocity_tolerance_mps: float) -> None:
    """Compares records and annotations; metres to the tenth of a millimetre (float32 boxes)."""
    assert len(found) > 10
    for record, annotation, velocity_mps in found:
        assert record['sample_token'] == annotation['sample_token']
        assert record['translation'] == pytest.approx(annotation['translation'], abs=1e-4)
        assert record['size'] == pytest.approx(annotation['size'], abs=1e-5)
        yaw_rad = [quaternion_yaw(Quaternion(one['rotation'])) for one in (record, annotation)]
        assert abs(np.angle(np.exp(1j * (yaw_rad[0] - yaw_rad[1])))) < yaw_tolerance_rad
        speed_mps = np.hypot(*record['velocity'])
        assert record['attribute_name'] == attribute_by_speed(record['detection_name'], speed_mps)
        if np.isfinite(velocity_mps).all():
            assert record['velocity'] == pytest.approx(
                velocity_mps[:2].tolist(), abs=velocity_tolerance_mps)


def test_annotations_of_the_synthetic_world_come_back(synthetic_root: Path) -> None:
    tables = open_tables(data_root=synthetic_root, version='v1.0-mini')
    check(pairs(tables), yaw_tolerance_rad=1e-5, velocity_tolerance_mps=0.01)


def test_annotations_of_the_real_keyframe_come_back(keyframe_root: Path) -> None:
    # Boxes of this file are upright in the LiDAR frame, not in the global one: nuScenes records
    # are upright there, which changes their yaw by the square of the tilt.
    tables = open_tables(data_root=keyframe_root, version='v1.0-mini')
    check(pairs(tables), yaw_tolerance_rad=2e-3, velocity_tolerance_mps=0.01)
