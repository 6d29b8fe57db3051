"""The world of three cameras, one LiDAR and three classes is sound and goes through the pipelines."""
import pickle

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.registry import init_default_scope

from gemini_lab.analysis.record_check import check_data
from gemini_lab.synthetic.records import CAMERAS, CLASSES, generate_records
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.boxes import points_in_boxes
from geminifusion3d.sensors.draw import project_points


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    """Two scenes of two samples."""
    return generate_records(tmp_path_factory.mktemp('records') / 'data', scenes=2, samples_per_scene=2)


def test_it_is_sound(paths):
    for path in paths.values():
        report = check_data(path, classes=CLASSES)
        assert report.is_sound and not report.warnings, report.text()
        assert report.cameras == {name: 2 for name in CAMERAS} and set(report.boxes) == set(CLASSES)


def test_boxes_hold_their_points_and_points_land_in_pictures_of_any_size(paths):
    init_default_scope('mmdet3d')
    sizes = dict(
        type='GeminiAugmentImages', final_hw=(
            128, 256), resize_range=(
            0.27, 0.27), reference_width=960)
    dataset = DATASETS.build(dict(
        type='GeminiRecordDataset', data_root=str(paths['train'].parent), ann_file='train.jsonl',
        metainfo=dict(classes=CLASSES), filter_empty_gt=False, pipeline=[
            dict(
                type='GeminiLoadImages', camera_names=list(CAMERAS)), dict(
                type='GeminiLoadPoints', sweeps_num=2),
            dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True), sizes]))
    assert dataset.metainfo['classes'] == CLASSES and len(pickle.loads(pickle.dumps(dataset))) == 2
    info, sample = dataset.get_data_info(0), dataset[0]
    counts = [instance['num_lidar_pts'] for instance in info['instances'] if instance['bbox_3d_isvalid']]
    keyframe = sample['points'].tensor[:, 4] == 0
    inside = points_in_boxes(sample['points'].tensor[keyframe, :3].numpy(), sample['gt_bboxes_3d'].numpy())
    # The car rolls a little: boxes stand upright in the LiDAR's frame, and points lie on their faces.
    assert np.abs(np.array([len(some) for some in inside]) - counts).sum() <= 0.02 * sum(counts)
    assert [image.shape for image in sample['img']] == [(128, 256, 3)] * 3
    for camera in range(3):
        px, depth_m = project_points(
            sample['points'].tensor[:, :3].numpy(), lidar_aug_matrix=sample['lidar_aug_matrix'],
            **{key: sample[key][camera] for key in ('lidar2cam', 'cam2img', 'img_aug_matrix')})
        is_seen = (depth_m > 1) & (px >= 0).all(axis=1) & (px[:, 0] < 256) & (px[:, 1] < 128)
        assert is_seen.sum() > 500


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / 'own').write_text('mine')
    with pytest.raises(UserError, match='nothing was changed'):
        generate_records(tmp_path, scenes=2, samples_per_scene=2)
    assert [path.name for path in tmp_path.iterdir()] == ['own']
