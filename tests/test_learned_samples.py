"""Records of samples: what they hold, through files and wrappers, and what a reader of a score is told."""
import json
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import DATASETS
from mmengine.dataset import ConcatDataset, RepeatDataset
from mmengine.registry import init_default_scope
from tiny_kitti import write_tiny_kitti
from tiny_nuscenes import write_tiny_nuscenes
from torch.utils.data import Subset

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.data_converters.gt_database import build_gt_database
from geminifusion3d.kitti.infos import convert_kitti
from geminifusion3d.learned_samples import (LEARNED, Overlap, SampleRecord, name_digest, overlap_sentence,
                                            samples_of)
from geminifusion3d.sensors.draws import CountedDraws
from geminifusion3d.sensors.object_database import read_metainfo, write_metainfo


def record(*names: str, source: str = 'train') -> SampleRecord:
    return SampleRecord.of(source, names)


def overlap(scored: SampleRecord, learned: SampleRecord) -> dict:
    return Overlap.between(scored, learned).to_plain()


def test_a_record_is_eight_characters_a_sample_and_comes_back_from_json():
    known = record(*map(str, range(1000))) | SampleRecord(unknown=('old.pth',))
    plain = known.to_plain()
    assert len(plain['digests']) == 8000 and plain['sources'] == ['train (1000 samples)']
    assert SampleRecord.read(plain, 'x') == SampleRecord.read(json.dumps(plain), 'x') == known
    # The order of the names does not show.
    assert record(*map(str, reversed(range(1000)))).to_plain()['digests'] == plain['digests']
    # echo -n ff | sha256sum
    assert name_digest('ff').hex() == '05a9bf223fed'


@pytest.mark.parametrize('value', [
    None, 3, 'no JSON', {}, {'format': 'other', 'digests': ''}, [], '[' * 9999,
    {**record('a').to_plain(), 'digests': 'AAAA'}, {**record('a').to_plain(), 'digests': '?'}])
def test_what_is_no_record_is_unknown_and_names_its_owner(value):
    assert SampleRecord.read(value, 'old.pth') == SampleRecord(unknown=('old.pth',))


def test_mixed_overlaps_are_counted():
    learned = record('a', 'b', 'c') | record('c', 'd', source='database')
    assert len(learned.digests) == 4
    found = overlap(record('c', 'd', 'e', 'f', 'g', source='val'), learned)
    assert (found['scored'], found['learned']) == (5, 2)
    assert overlap_sentence(found) == (
        '2 of 5 scored samples were learned (from train (3 samples), database (2 samples)): the score says '
        'how well they are remembered, not what is found elsewhere')
    assert learned | learned == learned


def test_a_clean_pair_says_nothing_and_an_old_checkpoint_that_it_is_unknown():
    assert overlap_sentence(overlap(record('e'), record('a', 'b'))) == ''
    old = SampleRecord(unknown=('old.pth',))
    assert overlap_sentence(overlap(record('e'), old)) == (
        'unknown whether scored samples were learned: old.pth has no record of its samples')
    assert overlap_sentence(overlap(record('a', 'e'), old | record('a'))).startswith('1 of 2 scored')
    # Of samples without names there is nothing to say.
    assert overlap_sentence(overlap(SampleRecord(unknown=('a Toy',)), old)) == ''


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of mini_train and one of mini_val, three keyframes each."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('named'), keyframes=3,
                               scenes=('scene-0061', 'scene-0103'))
    convert_nuscenes(root, 'v1.0-mini', root)
    return root


def dataset(root: Path, split: str = 'mini_train', **options):
    init_default_scope('mmdet3d')
    return DATASETS.build({**dict(
        type='GeminiNuScenesDataset', data_root=str(root), pipeline=[], test_mode=True,
        ann_file=f'geminifusion3d_infos_{split}.pkl'), **options})


def test_wrappers_hold_the_samples_of_what_they_wrap(root):
    train, val = samples_of(dataset(root)), samples_of(dataset(root, 'mini_val'))
    assert train.sources == ('v1.0-mini mini_train (3 samples)',) and len(train.digests) == 3
    assert not train.digests & val.digests
    balanced = dict(type='GeminiCBGSDataset', dataset=dict(
        type='GeminiNuScenesDataset', data_root=str(root), pipeline=[],
        ann_file='geminifusion3d_infos_mini_train.pkl'))
    for wrapped in (CountedDraws(dataset(root)), RepeatDataset(dataset(root), times=5),
                    CountedDraws(RepeatDataset(dataset(root), times=2)), Subset(dataset(root), [0]),
                    DATASETS.build(balanced)):
        assert samples_of(wrapped) == train
    both = [dataset(root), dataset(root, 'mini_val')]
    repeated = [RepeatDataset(one, times=2) for one in both]
    for joined in (ConcatDataset(both), torch.utils.data.ConcatDataset([CountedDraws(one) for one in both]),
                   CountedDraws(torch.utils.data.ConcatDataset(repeated))):
        assert samples_of(joined) == train | val and len(samples_of(joined).sources) == 2
    assert samples_of(dataset(root, indices=[2])).digests < train.digests
    assert samples_of([1, 2]).unknown == ('a list',)


def test_own_records_of_the_same_token_are_other_samples(tmp_path):
    for name, path in (('train', 'a.bin'), ('val', 'b.bin')):
        line = {'token': '0', 'points': {'path': path, 'columns': ['x', 'y', 'z']},
                'boxes': [{'box': [1, 2, 3, 4, 5, 6, 0], 'class': 'tram'}]}
        (tmp_path / f'{name}.jsonl').write_text(json.dumps(line) + '\n')
    init_default_scope('mmdet3d')
    train, val, again = (samples_of(DATASETS.build(dict(
        type='GeminiRecordDataset', data_root=str(tmp_path), ann_file=f'{name}.jsonl', pipeline=[],
        metainfo=dict(classes=('tram',))))) for name in ('train', 'val', 'train'))
    assert train.sources == ('train.jsonl (1 samples)',)
    assert train == again and not train.digests & val.digests


def test_frames_of_kitti_are_told_apart(tmp_path):
    root = write_tiny_kitti(tmp_path)
    convert_kitti(root)
    init_default_scope('mmdet3d')
    train, val = (samples_of(DATASETS.build(dict(
        type='GeminiKittiDataset', data_root=str(root), ann_file=f'geminifusion3d_kitti_{split}.pkl',
        data_prefix=dict(pts='training/velodyne', img='training/image_2'), pipeline=[], test_mode=True,
        metainfo=dict(classes=['Car', 'Pedestrian'])))) for split in ('train', 'val'))
    assert (len(train.digests), len(val.digests)) == (2, 1) and not train.digests & val.digests
    assert name_digest('kitti/training/000002') in val.digests


def test_a_database_lists_its_samples_and_who_pastes_from_it_learns_them(root, tmp_path):
    val = samples_of(dataset(root, 'mini_val'))
    folder = build_gt_database(root / 'geminifusion3d_infos_mini_val.pkl', root, tmp_path, sweeps_num=0)
    assert SampleRecord.read(read_metainfo(folder)[LEARNED], '') == val
    paste = dict(type='GeminiSampleObjects', database=str(folder), sweeps_num=0)
    nested = dict(type='GeminiCachedLoading', folder=str(tmp_path / 'cache'), steps=[paste])
    for step in (paste, nested):
        pasting = dataset(root, pipeline=[step], test_mode=False)
        assert samples_of(pasting) == samples_of(dataset(root)) | val
    # One of an earlier version has no list, until it is asked for again.
    known = read_metainfo(folder)
    write_metainfo(folder, {key: value for key, value in known.items() if key != LEARNED})
    assert samples_of(pasting).unknown == ('ground-truth database gt_database_mini_val',)
    build_gt_database(root / 'geminifusion3d_infos_mini_val.pkl', root, tmp_path, sweeps_num=0)
    assert read_metainfo(folder) == known
