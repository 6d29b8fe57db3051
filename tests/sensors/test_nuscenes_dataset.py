"""The dataset: true labels, every sensor optional, and augmentation that ignores the workers."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from tiny_nuscenes import write_tiny_nuscenes
from torch.utils.data import DataLoader

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError
from geminifusion3d.sensors import GeminiNuScenesDataset, keyframe_dataset

RANGE_M = [-30.0, -30.0, -5.0, 30.0, 30.0, 5.0]
IMAGES = [dict(type='GeminiLoadImages', reduce=4)]
POINTS = [dict(type='GeminiLoadPoints', sweeps_num=2)]
BOXES = [dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)]
AUGMENT_IMAGES = [dict(type='GeminiAugmentImages', final_hw=(32, 88), resize_range=(0.05, 0.08),
                       rotate_range_deg=(-5, 5), flip=True, training=True)]
AUGMENT_SCENE = [dict(type='GeminiAugmentScene', rotate_range_rad=(-0.5, 0.5), flip_x_prob=0.5,
                      translate_std_m=(0.2, 0.2, 0.2), scale_range=(0.9, 1.1))]
RANGE = [dict(type='ObjectRangeFilter', point_cloud_range=RANGE_M)]
SHUFFLE = [dict(type='PointsRangeFilter', point_cloud_range=RANGE_M), dict(type='PointShuffle')]
PACK = [dict(type='Pack3DDetInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d'],
             meta_keys=['cam2img', 'lidar2cam', 'img_aug_matrix', 'lidar_aug_matrix', 'token',
                        'sample_idx', 'lidar2ego', 'ego2global', 'box_type_3d'])]
FUSED = [*IMAGES, *POINTS, *BOXES, *AUGMENT_IMAGES, *AUGMENT_SCENE, *RANGE, *SHUFFLE, *PACK]


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted tiny dataset in a folder called `samples`, which nothing may trip over."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('samples'))
    convert_nuscenes(root, 'v1.0-mini', root)
    return root


def built(root: Path, pipeline: list, **options: object) -> GeminiNuScenesDataset:
    init_default_scope('mmdet3d')
    defaults = dict(type='GeminiNuScenesDataset', data_root=str(root), pipeline=pipeline,
                    ann_file='geminifusion3d_infos_mini_train.pkl')
    return DATASETS.build({**defaults, **options})


def annotations(root: Path, **options: object) -> dict:
    return built(root, [], **options).get_data_info(0)['ann_info']


def flat(item: dict) -> list:
    """Everything of a packed sample that augmentation touches."""
    sample = item['data_samples']
    tensors = [*item['inputs'].values(), sample.gt_instances_3d.bboxes_3d.tensor,
               sample.img_aug_matrix, sample.lidar_aug_matrix]
    return [np.asarray(tensor) for tensor in tensors]


def test_version_split_and_classes_come_from_the_info_file(root):
    dataset = built(root, [], ann_file='geminifusion3d_infos_mini_val.pkl')
    assert dataset.records.metainfo['version'] == 'v1.0-mini'
    assert dataset.records.metainfo['split'] == 'mini_val'
    assert dataset.metainfo['classes'][5] == 'barrier'


def test_void_and_unseen_boxes_are_dropped_and_radar_counts(root):
    # parked car, moving car, radar truck, barrier; neither the dog nor the unseen pedestrian.
    assert annotations(root)['gt_labels_3d'].tolist() == [0, 0, 1, 5]
    everything = annotations(root, use_valid_flag=False)
    assert everything['gt_labels_3d'].tolist() == [0, 0, 8, 1, 5]


def test_boxes_have_their_origin_at_the_bottom_and_unknown_velocities_stay_unknown(root):
    info = built(root, []).get_data_info(0)
    boxes = info['ann_info']['gt_bboxes_3d']
    center_m = np.array(info['instances'][0]['bbox_3d'])
    np.testing.assert_allclose(boxes.gravity_center[0], center_m[:3], atol=1e-5)
    # The car is 1.6 m high.
    assert boxes.tensor[0, 2] == pytest.approx(center_m[2] - 0.8, abs=1e-5)
    assert torch.isnan(boxes.tensor[:, 7:]).all(dim=1).tolist() == [False, False, False, True]


def test_classes_can_be_restricted(root):
    labels = annotations(root, metainfo=dict(classes=['barrier', 'car']))['gt_labels_3d']
    assert labels.tolist() == [1, 1, 0]


def test_a_test_set_without_annotations_is_read(root, tmp_path):
    test_root = write_tiny_nuscenes(tmp_path, version='v1.0-test', scenes=['scene-0077'])
    for table in ('instance', 'sample_annotation'):
        (test_root / 'v1.0-test' / f'{table}.json').write_text('[]')
    convert_nuscenes(test_root, 'v1.0-test', test_root)
    dataset = built(test_root, [*IMAGES, *POINTS, *PACK], test_mode=True,
                    ann_file='geminifusion3d_infos_test.pkl')
    assert len(dataset) == 3
    assert dataset[2]['data_samples'].eval_ann_info['gt_bboxes_3d'].tensor.shape == (0, 9)


@pytest.mark.parametrize('pipeline, modality, keys', [
    (FUSED, dict(use_camera=True, use_lidar=True), {'points', 'imgs'}),
    ([*IMAGES, *BOXES, *AUGMENT_IMAGES, *AUGMENT_SCENE, *RANGE, *PACK],
     dict(use_camera=True, use_lidar=False), {'imgs'}),
    ([*POINTS, *BOXES, *AUGMENT_SCENE, *RANGE, *SHUFFLE, *PACK],
     dict(use_camera=False, use_lidar=True), {'points'}),
])
def test_the_hosts_preprocessor_takes_any_subset_of_sensors(root, pipeline, modality, keys):
    dataset = built(root, pipeline, modality=modality)
    preprocess = MODELS.build(dict(type='Det3DDataPreprocessor', mean=[123.0, 116.0, 103.0],
                                   std=[58.0, 57.0, 57.0], bgr_to_rgb=True, pad_size_divisor=32))
    batch = preprocess(pseudo_collate([dataset[0], dataset[1]]))
    assert set(batch['inputs']) == keys
    if 'imgs' in keys:
        assert batch['inputs']['imgs'].shape == (2, 6, 3, 32, 96)
    sample = batch['data_samples'][1]
    assert sample.lidar_aug_matrix.shape == (4, 4) and sample.sample_idx == 1
    assert len(sample.gt_instances_3d.bboxes_3d) == len(sample.gt_instances_3d.labels_3d) > 0


def test_two_workers_give_what_none_gives_in_two_epochs(root):
    dataset = built(root, FUSED, seed=3)
    alone, shared = {}, {}
    loader = DataLoader(dataset, batch_size=1, num_workers=2, persistent_workers=True,
                        collate_fn=pseudo_collate)
    for epoch in (0, 1):
        dataset.set_epoch(epoch)
        alone[epoch] = [flat(dataset[index]) for index in range(len(dataset))]
        shared[epoch] = [flat(pick_only(batch)) for batch in loader]
    for epoch in (0, 1):
        for one, other in zip(alone[epoch], shared[epoch]):
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one, other))
    matrices = {sample[-1].tobytes() for epoch in (0, 1) for sample in alone[epoch]}
    assert len(matrices) == 2 * len(dataset)


def pick_only(batch: dict) -> dict:
    return {'inputs': {key: values[0] for key, values in batch['inputs'].items()},
            'data_samples': batch['data_samples'][0]}


def test_another_seed_augments_differently_and_the_models_randomness_does_not_notice(root):
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(1)
    one, other = built(root, FUSED, seed=0)[1], built(root, FUSED, seed=1)[1]
    assert not np.array_equal(flat(one)[-1], flat(other)[-1])
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


def test_a_keyframe_without_boxes_is_replaced_alike_at_every_read(root, monkeypatch):
    dataset = built(root, FUSED)
    monkeypatch.setattr(dataset, 'prepare_data', lambda index: index or None)
    replaced = []
    for epoch in range(12):
        dataset.set_epoch(epoch)
        replaced.append(dataset[0])
        assert dataset[0] == replaced[-1]
    assert set(replaced) == {1, 2}


def test_keyframes_without_boxes_can_be_kept(root):
    nowhere = [dict(type='ObjectRangeFilter', point_cloud_range=[900, 900, -5, 901, 901, 5])]
    dataset = built(root, [*POINTS, *BOXES, *nowhere, *PACK], filter_empty_gt=False)
    assert len(dataset[0]['data_samples'].gt_instances_3d.labels_3d) == 0


def test_a_keyframe_whose_boxes_are_all_out_of_range_is_left_out_of_training_alone(root):
    pipeline = [*POINTS, *BOXES, dict(RANGE[0], point_cloud_range=[900, 900, -5, 901, 901, 5]), *PACK]
    assert built(root, pipeline).prepare_data(0) is None
    # Nor are the steps run where there was no box from the start.
    # The barrier stands in the first of the scene's keyframes alone.
    assert built(root, [explode], metainfo=dict(classes=['barrier'])).prepare_data(1) is None
    assert built(root, [*POINTS, PACK[0]], test_mode=True).prepare_data(0) is not None


def explode(results: dict) -> dict:
    raise AssertionError(f'a step got {sorted(results)}')


def test_what_a_step_does_to_its_record_is_not_seen_by_the_next_read(root):
    def spoil(results: dict) -> dict:
        first = dict(results['lidar_points'], images=len(results['images']))
        results['lidar_points']['lidar_path'] = 'spoilt'
        results['images'].clear()
        results['ann_info']['gt_labels_3d'][:] = -7
        return {**first, 'data_samples': Labels}

    class Labels:
        class gt_instances_3d:
            labels_3d = [0]

    dataset = built(root, [spoil])
    first, second = dataset[0], dataset[0]
    assert first['lidar_path'] == second['lidar_path'] != 'spoilt' and second['images'] == 6
    assert (dataset.get_data_info(0)['ann_info']['gt_labels_3d'] >= 0).all()


def test_a_missing_info_file_is_named(root):
    with pytest.raises(UserError, match='geminifusion3d_infos_none.pkl .*gemini3d convert'):
        built(root, [], ann_file='geminifusion3d_infos_none.pkl')


def test_own_categories_are_classes_where_the_metainfo_names_them(root):
    # The dog is of no detection class; the parked and the moving car are.
    named = annotations(root, metainfo=dict(classes=('animal', 'car')))
    assert named['gt_labels_3d'].tolist() == [1, 1, 0]
    with pytest.raises(UserError, match=r'no box of animals in .*categories: animal, .*vehicle.truck'):
        built(root, [], metainfo=dict(classes=('animals',)))


def test_a_path_of_an_info_file_cannot_leave_the_data_root(root):
    dataset = built(root, [])
    record = dataset.records[0]
    for path in ('/etc/passwd', '../secret.bin'):
        with pytest.raises(UserError, match='inside the data root'):
            dataset.parse_data_info(
                {**record, 'lidar_points': {**record['lidar_points'], 'lidar_path': path}})
        with pytest.raises(UserError, match='inside the data root'):
            dataset.parse_data_info({**record, 'images': {'CAM_BACK': {'img_path': path}}})


def test_boxes_that_no_loss_can_use_are_dropped_and_absurd_speeds_unknown(root):
    dataset = built(root, [])
    box = dict(
        bbox_label_3d=0, bbox_3d_isvalid=True, velocity=[
            1.0, 0.0], bbox_3d=[
            1.0, 2.0, 0.0, 4.0, 2.0, 1.5, 0.0])
    odd = [dict(box, bbox_3d=[*box['bbox_3d'][:3], *sides, 0.0])
           for sides in ((4.0, 0.0, 1.0), (4.0, 2.0, float('nan')), (1e9, 2.0, 1.0), (-1.0, 2.0, 1.0))]
    found = dataset.parse_ann_info({'instances': [box, *odd, dict(box, velocity=[1e30, 0.0])]})
    assert len(found['gt_labels_3d']) == 2
    assert found['gt_bboxes_3d'].tensor[0, 7:].tolist(
    ) == [1, 0] and found['gt_bboxes_3d'].tensor[1, 7:].isnan().all()


def test_subsets_are_taken_as_mmengine_takes_them(root):
    dataset = built(root, [])
    tokens = [dataset.get_data_info(index)['token'] for index in range(3)]
    for wanted, expected in ((2, tokens[:2]), (-1, tokens[-1:]), ([2, 0], [tokens[2], tokens[0]])):
        for part in (built(root, [], indices=wanted), dataset.get_subset(wanted)):
            assert [part.get_data_info(index)['token'] for index in range(len(part))] == expected
    assert len(dataset) == 3


@pytest.mark.parametrize('sweeps, read, said', [(1, 2, True), (2, 2, False)])
def test_fewer_sweeps_than_the_pipeline_reads_are_said(root, tmp_path, monkeypatch, sweeps, read, said):
    lines = []
    monkeypatch.setattr(keyframe_dataset, 'print_log', lambda text, *_: lines.append(text))
    paths = convert_nuscenes(root, 'v1.0-mini', tmp_path, max_sweeps=sweeps, splits=['mini_train'])
    built(root, [dict(type='GeminiLoadPoints', sweeps_num=read)], ann_file=str(paths['mini_train']))
    assert len(lines) == said and all('lists 1 sweeps' in line and '--max-sweeps 2' in line for line in lines)
