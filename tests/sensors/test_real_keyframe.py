"""One real nuScenes keyframe: conversion and matrices put LiDAR points on the annotated objects.

Skipped where the keyframe is absent: it is looked for at `../shared/nuscenes_keyframe` beside the
repository and under $GEMINIFUSION3D_KEYFRAME.
"""
import os
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope
from nuscenes.nuscenes import NuScenes
from scipy.spatial import Delaunay

from data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.sensors import GeminiNuScenesDataset
from geminifusion3d.sensors.project import project_points

KEYFRAME = Path(os.environ.get('GEMINIFUSION3D_KEYFRAME')
                or Path(__file__).parents[3] / 'shared' / 'nuscenes_keyframe')
pytestmark = pytest.mark.skipif(not KEYFRAME.is_dir(), reason=f'no real keyframe at {KEYFRAME}')
LOAD = [dict(type='GeminiLoadImages'), dict(type='GeminiLoadPoints', sweeps_num=0),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)]
PLAIN = [dict(type='GeminiAugmentImages', final_hw=(900, 1600), resize_range=(1.0, 1.0))]
AUGMENTED = [dict(type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.4, 0.55),
                  rotate_range_deg=(-5.4, 5.4), flip=True, training=True),
             dict(type='GeminiAugmentScene', rotate_range_rad=(-0.78, 0.78),
                  scale_range=(0.9, 1.1), translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5,
                  flip_y_prob=0.5)]
MIN_POINTS = 5


@pytest.fixture(scope='module')
def info_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The converted keyframe."""
    return convert_nuscenes(KEYFRAME, 'v1.0-mini', tmp_path_factory.mktemp('infos'))['mini_train']


def sample(info_file: Path, augmentation: list, seed: int = 0) -> dict:
    init_default_scope('mmdet3d')
    return GeminiNuScenesDataset(data_root=str(KEYFRAME), ann_file=str(info_file), seed=seed,
                                 pipeline=[*LOAD, *augmentation],
                                 filter_empty_gt=False)[0]


def camera_matrices(results: dict, camera: int) -> dict:
    return {'lidar_aug_matrix': results['lidar_aug_matrix'],
            **{key: results[key][camera] for key in ('lidar2cam', 'cam2img', 'img_aug_matrix')}}


def points_in_box(points_m: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Indices of points in one bottom-centre box (x, y, z, l, w, h, yaw)."""
    offset = points_m - box[:3]
    cos, sin = np.cos(box[6]), np.sin(box[6])
    along, across = offset @ [cos, sin, 0], offset @ [-sin, cos, 0]
    return np.flatnonzero((abs(along) < box[3] / 2) & (abs(across) < box[4] / 2)
                          & (offset[:, 2] > 0) & (offset[:, 2] < box[5]))


def test_the_keyframe_has_the_annotated_objects(info_file):
    # 68 boxes, of which the void ones and those without any return are not for training.
    results = sample(info_file, PLAIN)
    assert len(results['instances']) == 68
    counts = np.bincount(results['gt_labels_3d'], minlength=10)
    assert counts.tolist() == [8, 2, 1, 1, 0, 22, 0, 1, 27, 3]


def test_boxes_hold_as_many_points_as_the_annotators_counted(info_file):
    results = sample(info_file, PLAIN)
    points_m = results['points'].tensor[:, :3].numpy()
    counted = [len(points_in_box(points_m, box)) for box in results['gt_bboxes_3d'].numpy()]
    stated = [one['num_lidar_pts'] for one in results['instances']
              if one['bbox_label'] >= 0 and one['bbox_3d_isvalid']]
    difference = np.abs(np.subtract(counted, stated))
    assert sum(counted) == pytest.approx(sum(stated), rel=0.03)
    assert (difference <= np.maximum(2, 0.1 * np.array(stated))).mean() >= 0.9


@pytest.mark.parametrize('augmentation, seed', [(PLAIN, 0), (AUGMENTED, 1)])
def test_points_in_a_box_project_into_the_boxs_outline(info_file, augmentation, seed):
    results = sample(info_file, augmentation, seed)
    points_m = results['points'].tensor[:, :3].numpy()
    boxes = results['gt_bboxes_3d']
    fractions = []
    for camera, image in enumerate(results['img']):
        matrices = camera_matrices(results, camera)
        for box, corners_m in zip(boxes.numpy(), boxes.corners.numpy()):
            inside = points_in_box(points_m, box)
            outline_px, corner_depth_m = project_points(corners_m, **matrices)
            if len(inside) < MIN_POINTS or (corner_depth_m < 1).any():
                continue
            if (outline_px < 0).any() or (outline_px > image.shape[1::-1]).any():
                continue
            px, _ = project_points(points_m[inside], **matrices)
            fractions.append((Delaunay(outline_px).find_simplex(px) >= 0).mean())
    assert len(fractions) >= 15
    assert min(fractions) == 1.0


def test_points_project_to_the_pixels_where_the_devkit_draws_them(info_file):
    nusc = NuScenes('v1.0-mini', str(KEYFRAME), verbose=False)
    results = sample(info_file, PLAIN)
    points_m = np.fromfile(results['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
    for camera, name in enumerate(results['cam_names']):
        expected, expected_depth_m, _ = nusc.explorer.map_pointcloud_to_image(
            results['lidar_points']['sample_data_token'],
            results['images'][name]['sample_data_token'], min_dist=1.0)
        px, depth_m = project_points(points_m[:, :3], **camera_matrices(results, camera))
        # The devkit's own conditions for drawing a point.
        is_drawn = (depth_m > 1) & (px[:, 0] > 1) & (px[:, 0] < 1599) & (px[:, 1] > 1) & \
            (px[:, 1] < 899)
        assert expected.shape[1] > 1500
        # The devkit chains through the global frame in float32.
        np.testing.assert_allclose(px[is_drawn], expected[:2].T, atol=0.05)
        np.testing.assert_allclose(depth_m[is_drawn], expected_depth_m, atol=2e-3)


def brightness_at(results: dict, camera: int) -> tuple:
    """Grey values where points project into the image, and which points these are."""
    image = results['img'][camera].astype(np.float32).mean(axis=2)
    px, depth_m = project_points(results['points'].tensor[:, :3].numpy(),
                                 **camera_matrices(results, camera))
    column, row = np.round(np.nan_to_num(px, nan=-1)).astype(int).T
    is_seen = (depth_m > 1) & (column >= 2) & (row >= 2) & (column < image.shape[1] - 2) & \
        (row < image.shape[0] - 2)
    return image[row[is_seen], column[is_seen]], is_seen


def test_a_point_keeps_its_colour_through_all_augmentation(info_file):
    plain = sample(info_file, PLAIN)
    augmented = sample(info_file, AUGMENTED, 3)
    for camera in range(6):
        values, grey = {}, {}
        for name, results in (('plain', plain), ('augmented', augmented)):
            values[name], is_seen = brightness_at(results, camera)
            grey[name] = np.full(len(is_seen), np.nan)
            grey[name][is_seen] = values[name]
        both = ~np.isnan(grey['plain']) & ~np.isnan(grey['augmented'])
        assert both.sum() > 800
        correlation = np.corrcoef(grey['plain'][both], grey['augmented'][both])[0, 1]
        assert correlation > 0.85
