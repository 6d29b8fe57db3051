"""Pasted objects bring their points, take no room of others, and come alike from every seed."""
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from box_points import points_in_box
from mmdet3d.structures import LiDARInstance3DBoxes, LiDARPoints

from geminifusion3d.errors import UserError
from geminifusion3d.geometry.boxes import boxes_overlap, points_in_boxes
from geminifusion3d.sensors import GeminiSampleObjects
from geminifusion3d.sensors.draws import seeded_generators
from geminifusion3d.sensors.object_database import FORMAT, ObjectDatabase, array_path, write_metainfo

NUM_CARS, NUM_CONES = 30, 8
GROUND_MARK = 7.0


def write_database(folder: Path, *, sweeps_num: int = 9, spread_m: float = 40.0) -> Path:
    """Cars with 1, 2, ... points and cones with 6 each; intensity tells objects apart."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    for name, count, size, number in (('car', NUM_CARS, [4, 2, 1.5], range(1, NUM_CARS + 1)),
                                      ('traffic_cone', NUM_CONES, [0.4, 0.4, 1], [6] * NUM_CONES)):
        boxes = np.column_stack([rng.uniform(-spread_m, spread_m, (count, 2)), np.full(count, -1.8),
                                 np.tile(size, (count, 1)), rng.uniform(-3, 3, count),
                                 rng.uniform(-5, 5, (count, 2))]).astype(np.float32)
        boxes[0, 7:] = np.nan
        clouds = []
        for index, (box, n) in enumerate(zip(boxes, number)):
            local = rng.uniform(-0.45, 0.45, (n, 3)) * box[3:6] + [0, 0, box[5] / 2]
            cos, sin = np.cos(box[6]), np.sin(box[6])
            turned = local @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]]) + box[:3]
            clouds.append(np.column_stack([turned, np.full(n, index), np.zeros(n)]))
        np.save(array_path(folder, name, 'boxes'), boxes)
        np.save(array_path(folder, name, 'ends'), np.cumsum(list(number), dtype=np.int64))
        np.save(array_path(folder, name, 'points'), np.concatenate(clouds).astype(np.float32))
        np.save(array_path(folder, name, 'sums'), np.array(
            [zlib.crc32(cloud.astype(np.float32).tobytes()) for cloud in clouds], np.uint32))
    counts = {'car': NUM_CARS, 'traffic_cone': NUM_CONES, 'bus': 0}
    write_metainfo(folder, dict(
        format=FORMAT, dataset='nuscenes', version='v1.0-mini', split='mini_train', sweeps_num=sweeps_num,
        remove_close_m=1.0, num_objects=counts))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_database(tmp_path / 'gt_database')


def make_sample(**replaced: object) -> dict:
    """A dense ground with one car and one pedestrian on it."""
    x_m, y_m = np.meshgrid(np.arange(-42, 42, 0.5), np.arange(-42, 42, 0.5))
    ground = np.column_stack([x_m.ravel(), y_m.ravel(), np.full(x_m.size, -1.5),
                              np.full(x_m.size, GROUND_MARK), np.zeros(x_m.size)])
    boxes = np.array([[10, 0, -1.8, 4, 2, 1.5, 0, 1, 0], [0, 5, -1.8, 0.7, 0.7, 1.8, 0, 0, 0]], np.float32)
    return {**dict(points=LiDARPoints(torch.tensor(ground, dtype=torch.float32), points_dim=5),
                   gt_bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9), gt_labels_3d=np.array([0, 8]),
                   lidar_aug_matrix=np.eye(4, dtype=np.float32), epoch=3), **replaced}


def sample_objects(folder: Path, **options: object) -> GeminiSampleObjects:
    return GeminiSampleObjects(**{**dict(database=str(folder), sweeps_num=9), **options})


def pasted(step: GeminiSampleObjects, seed: int = 0, **replaced: object) -> dict:
    with seeded_generators((seed,)):
        return step.transform(make_sample(**replaced))


@pytest.mark.parametrize('seed', range(8))
def test_pasted_points_lie_in_pasted_boxes_which_hold_nothing_else(folder, seed):
    before, after = make_sample(), pasted(sample_objects(folder, numbers=dict(car=9, traffic_cone=4)), seed)
    boxes, points = after['gt_bboxes_3d'].numpy()[2:], after['points'].tensor.numpy()
    database = ObjectDatabase(folder)
    num_pasted = 0
    for box, label in zip(boxes, after['gt_labels_3d'][2:]):
        name = {0: 'car', 9: 'traffic_cone'}[int(label)]
        index, = np.flatnonzero((database.boxes(name)[:, :7] == box[:7]).all(axis=1))
        np.testing.assert_array_equal(points[points_in_box(points[:, :3], box)], database.points(name, index))
        # The velocity comes along, unknown ones too.
        np.testing.assert_array_equal(database.boxes(name)[index], box)
        num_pasted += len(database.points(name, index))
    cleared = len(np.unique(np.concatenate(points_in_boxes(before['points'].tensor[:, :3].numpy(), boxes))))
    assert len(points) == len(before['points']) - cleared + num_pasted
    assert cleared > 0


@pytest.mark.parametrize('seed', range(8))
def test_no_two_boxes_overlap(folder, seed):
    after = pasted(sample_objects(folder, numbers=dict(car=20, traffic_cone=8)), seed)
    boxes = after['gt_bboxes_3d'].numpy()
    assert len(boxes) > 5
    assert boxes_overlap(boxes, boxes).sum() == len(boxes)


def test_a_class_is_filled_up_to_its_number(folder):
    step = sample_objects(folder, numbers=dict(car=3, bus=4, traffic_cone=1))
    for seed in range(20):
        labels = pasted(step, seed)['gt_labels_3d'].tolist()
        # One car is there already; the database has no bus.
        assert labels.count(0) <= 3 and labels.count(9) <= 1 and labels.count(3) == 0
    counts = [pasted(step, seed)['gt_labels_3d'].tolist().count(0) for seed in range(20)]
    assert np.mean(counts) > 2.5


def test_objects_of_too_few_points_are_not_pasted(folder):
    step, sizes = sample_objects(folder, numbers=dict(car=20), min_points=12), set()
    for seed in range(20):
        points = pasted(step, seed)['points'].tensor.numpy()
        intensities, counts = np.unique(points[points[:, 2] != -1.5][:, 3], return_counts=True)
        sizes |= set(counts.tolist())
    assert min(sizes) == 12 and len(sizes) > 10


def test_the_draw_belongs_to_the_seed_not_to_what_came_before(folder):
    step = sample_objects(folder)
    first = pasted(step, 1)
    pasted(step, 2)
    again, other = pasted(step, 1), pasted(step, 2)
    assert torch.equal(first['points'].tensor, again['points'].tensor)
    assert first['points'].tensor.shape != other['points'].tensor.shape


def test_the_sample_that_came_in_is_left_as_it_was_and_the_rest_is_handed_on(folder):
    sample = make_sample(token='t')
    with seeded_generators((0,)):
        after = sample_objects(folder).transform(sample)
    assert len(sample['gt_bboxes_3d']) == 2 == len(sample['gt_labels_3d'])
    assert len(sample['points']) == 168 * 168
    assert after['token'] == 't' and len(after['gt_bboxes_3d']) == len(after['gt_labels_3d']) > 2
    assert after['gt_labels_3d'].dtype == np.int64
    assert isinstance(after['points'], LiDARPoints)
    assert isinstance(after['gt_bboxes_3d'], LiDARInstance3DBoxes)


def test_a_sample_without_boxes_of_its_own_gets_some(folder):
    nothing = LiDARInstance3DBoxes(torch.zeros(0, 9), box_dim=9)
    after = pasted(sample_objects(folder), gt_bboxes_3d=nothing, gt_labels_3d=np.zeros(0, np.int64))
    assert len(after['gt_bboxes_3d']) == len(after['gt_labels_3d']) > 0


def test_sampling_ends_at_an_epoch_and_a_missing_lidar_sees_nothing(folder):
    step = sample_objects(folder, until_epoch=3)
    assert len(pasted(step, epoch=2)['gt_labels_3d']) > 2
    assert len(pasted(step, epoch=3)['gt_labels_3d']) == 2
    empty = LiDARPoints(torch.zeros(0, 5), points_dim=5)
    assert len(pasted(step, epoch=0, points=empty)['points']) == 0


def test_labels_follow_the_order_of_the_classes(folder):
    step = sample_objects(folder, numbers=dict(traffic_cone=4), classes=['traffic_cone', 'car'])
    assert pasted(step, gt_labels_3d=np.array([1, 1]))['gt_labels_3d'].tolist()[2:].count(0) >= 3


@pytest.mark.parametrize('replaced, message', [
    (dict(img=[1]), 'images, which would not show'),
    (dict(lidar_aug_matrix=np.diag([-1.0, 1, 1, 1])), 'before GeminiAugmentScene')])
def test_a_wrong_place_in_the_pipeline_is_named(folder, replaced, message):
    with pytest.raises(ValueError, match=message):
        pasted(sample_objects(folder), **replaced)


def test_numbers_for_unknown_classes_are_refused(folder):
    with pytest.raises(ValueError, match='numbers for lorry; expected some of car'):
        sample_objects(folder, numbers=dict(lorry=3))


def test_a_database_of_another_number_of_sweeps_is_refused(folder):
    with pytest.raises(UserError, match='points of 9 sweeps .* reads 4; .*--database-sweeps 4'):
        pasted(sample_objects(folder, sweeps_num=4))


def test_a_missing_or_damaged_database_says_how_to_write_it(folder, tmp_path):
    with pytest.raises(UserError, match='no ground-truth database in .*nowhere.*--with-gt-database'):
        pasted(sample_objects(tmp_path / 'nowhere'))
    path = array_path(folder, 'car', 'points')
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match='car.points.npy is missing or damaged'):
        pasted(sample_objects(folder))
    np.save(path, np.zeros((3, 5), np.float32))
    with pytest.raises(UserError, match='does not fit together: 30 car objects'):
        pasted(sample_objects(folder))
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match='Python objects'):
        pasted(sample_objects(folder))


@pytest.mark.parametrize('name', ['database.json', 'car.boxes.npy',
                         'car.ends.npy', 'car.sums.npy', 'car.points.npy'])
def test_a_flipped_bit_is_refused_when_the_object_is_read(folder, name):
    path = folder / name
    sound = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(sound), 20):
        damaged = bytearray(sound)
        damaged[place] ^= 2
        path.write_bytes(damaged)
        with pytest.raises(UserError, match='database|car'):
            database = ObjectDatabase(folder)
            for index in range(NUM_CARS):
                database.points('car', index)


def test_an_empty_file_is_one_sentence(folder):
    (folder / 'car.points.npy').write_bytes(b'')
    with pytest.raises(UserError, match='car.points.npy is missing or damaged'):
        ObjectDatabase(folder)


def test_a_folder_of_another_format_is_refused(folder):
    (folder / 'database.json').write_text('{"format": "other"}')
    with pytest.raises(UserError, match='another format than geminifusion3d'):
        pasted(sample_objects(folder))
