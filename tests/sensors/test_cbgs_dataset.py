"""Class-balanced repetition: every class equally often, alike everywhere, never the same twice."""
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet3d.registry import DATASETS
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from geminifusion3d.errors import UserError
from geminifusion3d.sensors import GeminiCBGSDataset, GeminiEpochHook, GeminiNuScenesDataset

# Keyframes and their classes: cars (0) in eight of ten, a bus (3) in two, a cone (9) in one.
CLASSES = [{0}] * 6 + [{0, 3}, {0, 3}, {9}, set()]


def make_dataset(seed: int = 5) -> GeminiNuScenesDataset:
    """A dataset without files, whose pipeline shows what was read and what it would draw."""
    init_default_scope('mmdet3d')

    class Toy(GeminiNuScenesDataset):
        def open_records(self) -> list:
            return [dict(images={}, lidar_points=dict(lidar_path='a.bin'), lidar_sweeps=[], instances=[
                dict(bbox_label_3d=label, bbox_3d_isvalid=True, bbox_3d=[1.0] * 7, velocity=[0.0, 0.0])
                for label in sorted(labels)]) for labels in CLASSES]

    read = [lambda results: (results['sample_idx'], results['epoch'], np.random.uniform())]
    return Toy(data_root='', ann_file='toy.pkl', pipeline=read, filter_empty_gt=False, seed=seed)


def make_balanced(**options: object) -> GeminiCBGSDataset:
    return GeminiCBGSDataset(dataset=make_dataset(), **options)


def test_every_class_is_drawn_equally_often():
    balanced = make_balanced()
    # 8 + 2 + 1 = 11 keyframes by class, three classes: 11 // 3 draws each.
    assert len(balanced) == 9
    first_label = [min(CLASSES[index]) for index in balanced.sample_indices[:3]]
    assert first_label == [0, 0, 0]
    assert all(3 in CLASSES[index] for index in balanced.sample_indices[3:6])
    assert balanced.sample_indices[6:] == [8, 8, 8]
    assert [item[0] for item in map(balanced.__getitem__, range(9))] == balanced.sample_indices


def test_the_draw_depends_on_its_own_seed_alone():
    np.random.seed(1)
    first = make_balanced(seed=3).sample_indices
    np.random.seed(2)
    assert make_balanced(seed=3).sample_indices == first
    assert make_balanced(seed=4).sample_indices != first


def test_repetitions_of_a_keyframe_are_augmented_differently_but_alike_at_every_read():
    balanced = make_balanced()
    items = [balanced[index] for index in range(len(balanced))]
    assert max(Counter(balanced.sample_indices).values()) >= 3
    assert len({draw for _, _, draw in items}) == len(items)
    assert [make_balanced()[index] for index in range(len(balanced))] == items


def test_workers_give_what_none_gives():
    balanced = make_balanced()
    alone = [balanced[index] for index in range(len(balanced))]
    assert [tuple(item) for item in DataLoader(balanced, batch_size=None, num_workers=2)] == alone


def test_the_first_repetition_is_what_the_plain_dataset_gives():
    balanced = make_balanced()
    first = balanced.sample_indices.index(8)
    assert balanced[first] == balanced.dataset[8]


def test_the_epoch_reaches_the_inside():
    balanced = make_balanced()
    before = balanced[0]
    GeminiEpochHook().before_train_epoch(
        SimpleNamespace(train_dataloader=SimpleNamespace(dataset=balanced), epoch=7))
    after = balanced[0]
    assert (before[1], after[1]) == (0, 7) and before[2] != after[2]


def test_a_config_builds_it_and_another_dataset_is_refused():
    init_default_scope('mmdet3d')
    inner = make_dataset()
    built = DATASETS.build(dict(type='GeminiCBGSDataset', dataset=inner, seed=1))
    assert len(built) == 9 and built.metainfo['classes'][0] == 'car'
    with pytest.raises(TypeError, match='list'):
        GeminiCBGSDataset(dataset=[])


def test_a_split_without_boxes_is_named(monkeypatch):
    monkeypatch.setitem(globals(), 'CLASSES', [set()] * 3)
    with pytest.raises(UserError, match='toy.pkl holds no box'):
        make_balanced()
