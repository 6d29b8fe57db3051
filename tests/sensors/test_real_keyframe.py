"""Two real nuScenes keyframes: conversion and matrices put LiDAR points on the objects."""
from pathlib import Path
from typing import Callable

import numpy as np
import pytest
from box_points import points_in_box
from mmengine.registry import init_default_scope
from nuscenes.nuscenes import NuScenes
from scipy.spatial import Delaunay, cKDTree

from gemini_lab.corruptions import GeminiCorruptedLoading
from gemini_lab.sample_picture import draw_camera, draw_sample
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.sensors import GeminiNuScenesDataset
from geminifusion3d.sensors.draw import project_points

LOAD = [dict(type='GeminiLoadImages'), dict(type='GeminiLoadPoints', sweeps_num=0),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)]
PLAIN = [dict(type='GeminiAugmentImages', final_hw=(900, 1600), resize_range=(1.0, 1.0))]
AUGMENTED = [dict(type='GeminiAugmentImages', final_hw=(256, 704), resize_range=(0.4, 0.55),
                  rotate_range_deg=(-5.4, 5.4), flip=True, training=True),
             dict(type='GeminiAugmentScene', rotate_range_rad=(-0.78, 0.78),
                  scale_range=(0.9, 1.1), translate_std_m=(0.5, 0.5, 0.5), flip_x_prob=0.5,
                  flip_y_prob=0.5)]
MIN_POINTS = 5
COUNTS = dict(train=[8, 2, 1, 1, 0, 22, 0, 1, 27, 3], val=[25, 0, 0, 0, 0, 0, 0, 0, 9, 3])


@pytest.fixture(scope='module', params=['train', 'val'])
def split(request: pytest.FixtureRequest) -> str:
    """Scene-0061 is of train, scene-0003 of val."""
    return request.param


@pytest.fixture(scope='module')
def load_sample(two_keyframes_root: Path, tmp_path_factory: pytest.TempPathFactory, split: str) -> Callable:
    """Loads the converted keyframe of a split with an augmentation and a seed."""
    out_dir = tmp_path_factory.mktemp('infos')
    info_file = convert_nuscenes(two_keyframes_root, 'v1.0-trainval', out_dir)[split]

    def load(augmentation: list, seed: int = 0) -> dict:
        init_default_scope('mmdet3d')
        return GeminiNuScenesDataset(data_root=str(two_keyframes_root), ann_file=str(info_file),
                                     seed=seed, pipeline=[*LOAD, *augmentation],
                                     filter_empty_gt=False)[0]

    return load


def camera_matrices(results: dict, camera: int) -> dict:
    return {'lidar_aug_matrix': results['lidar_aug_matrix'],
            **{key: results[key][camera] for key in ('lidar2cam', 'cam2img', 'img_aug_matrix')}}


def test_the_keyframe_has_the_annotated_objects(load_sample, split):
    # 68 and 37 boxes, of which the void ones and those without any return are not for training.
    results = load_sample(PLAIN)
    assert len(results['instances']) == dict(train=68, val=37)[split]
    assert np.bincount(results['gt_labels_3d'], minlength=10).tolist() == COUNTS[split]
    assert results['num_points_dropped'] == 0 and results['camera_present'].all()


def test_boxes_hold_as_many_points_as_the_annotators_counted(load_sample):
    results = load_sample(PLAIN)
    points_m = results['points'].tensor[:, :3].numpy()
    counted = [len(points_in_box(points_m, box)) for box in results['gt_bboxes_3d'].numpy()]
    stated = [one['num_lidar_pts'] for one in results['instances']
              if one['bbox_label'] >= 0 and one['bbox_3d_isvalid']]
    difference = np.abs(np.subtract(counted, stated))
    assert sum(counted) == pytest.approx(sum(stated), rel=0.03)
    assert (difference <= np.maximum(2, 0.1 * np.array(stated))).mean() >= 0.9


@pytest.mark.parametrize('augmentation, seed', [(PLAIN, 0), (AUGMENTED, 1)])
def test_points_in_a_box_project_into_the_boxs_outline(load_sample, augmentation, seed):
    results = load_sample(augmentation, seed)
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
    assert len(fractions) >= 5
    assert min(fractions) == 1.0


def test_points_project_to_the_pixels_where_the_devkit_draws_them(load_sample, two_keyframes_root):
    nusc = NuScenes('v1.0-trainval', str(two_keyframes_root), verbose=False)
    results = load_sample(PLAIN)
    points_m = np.fromfile(results['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
    for camera, name in enumerate(results['cam_names']):
        expected, expected_depth_m, _ = nusc.explorer.map_pointcloud_to_image(
            results['lidar_points']['sample_data_token'],
            results['images'][name]['sample_data_token'], min_dist=1.0)
        px, depth_m = project_points(points_m[:, :3], **camera_matrices(results, camera))
        assert expected.shape[1] > 1500
        px, depth_m = px[depth_m > 0.9], depth_m[depth_m > 0.9]
        # The devkit chains through the global frame in float32: by 0.05 pixels and 2 mm, a point at the
        # border may be drawn by one of the two only.
        drawn, ours = (np.column_stack([pixels / 0.05, depths_m / 2e-3])
                       for pixels, depths_m in ((expected[:2].T, expected_depth_m), (px, depth_m)))
        distance, index = cKDTree(ours).query(drawn, p=np.inf)
        assert distance.max() < 1 and len(np.unique(index)) == len(index)
        is_inside = ((px > 1.05) & (px < np.array([1598.95, 898.95]))).all(1) & (depth_m > 1.002)
        assert set(np.flatnonzero(is_inside)) <= set(index)


def brightness_at(results: dict, camera: int) -> tuple:
    """Grey values where points project into the image, and which points these are."""
    image = results['img'][camera].astype(np.float32).mean(axis=2)
    px, depth_m = project_points(results['points'].tensor[:, :3].numpy(),
                                 **camera_matrices(results, camera))
    column, row = np.round(np.nan_to_num(px, nan=-1)).astype(int).T
    is_seen = (depth_m > 1) & (column >= 2) & (row >= 2) & (column < image.shape[1] - 2) & \
        (row < image.shape[0] - 2)
    return image[row[is_seen], column[is_seen]], is_seen


def test_a_point_keeps_its_colour_through_all_augmentation(load_sample):
    plain = load_sample(PLAIN)
    augmented = load_sample(AUGMENTED, 3)
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


def test_it_is_drawn_with_points_and_boxes_in_every_picture(load_sample):
    results = load_sample(AUGMENTED, 2)
    bare = {**results, 'points': results['points'].new_point(results['points'].tensor[:0]),
            'gt_bboxes_3d': results['gt_bboxes_3d'].new_box(results['gt_bboxes_3d'].tensor[:0])}
    for camera in range(6):
        changed = (draw_camera(results, camera) != draw_camera(bare, camera)).any(axis=2)
        assert 0.005 < changed.mean() < 0.6
    assert draw_sample(results).shape == (2 * 256, 3 * 704 + 2 * 256, 3)


@pytest.mark.parametrize('corruption', ['fog', 'snow', 'beamsreducing', 'spatialmisalignment'])
def test_it_is_corrupted_the_same_at_every_read(load_sample, corruption):
    results = load_sample(PLAIN)
    load = GeminiCorruptedLoading(corruption=corruption, severity=2, steps=[dict(LOAD[0], reduce=4), LOAD[1]])
    first, second = load(dict(results)), load(dict(results))
    np.testing.assert_array_equal(first['points'].tensor, second['points'].tensor)
    np.testing.assert_array_equal(first['img'], second['img'])
    assert len(first['points']) > 1000
