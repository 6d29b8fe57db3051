"""What loading steps set is kept once and comes back equal; changed files are loaded anew."""
import copy
import io
import os

import numpy as np
import pytest
import torch
from mmdet3d.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.sensors.cached_loading import GeminiCachedLoading
from geminifusion3d.sensors.keyframe_dataset import GeminiNuScenesDataset
from geminifusion3d.sensors.load_images import GeminiLoadImages
from geminifusion3d.sensors.load_points import GeminiLoadPoints

STEPS = [dict(type='GeminiLoadImages', reduce=4), dict(type='GeminiLoadPoints', sweeps_num=1)]


@pytest.fixture(scope='module')
def record(synthetic_root, tmp_path_factory):
    """What a pipeline starts from: the second keyframe, which has sweeps."""
    init_default_scope('mmdet3d')
    info_file = convert_nuscenes(synthetic_root, 'v1.0-mini',
                                 tmp_path_factory.mktemp('infos'))['mini_train']
    dataset = GeminiNuScenesDataset(data_root=str(synthetic_root), ann_file=str(info_file), pipeline=[])
    return dataset.get_data_info(1)


def test_the_second_reading_is_equal_to_the_steps_and_runs_none(record, tmp_path, monkeypatch):
    cached = GeminiCachedLoading(steps=STEPS, folder=str(tmp_path))
    expected = GeminiLoadPoints(sweeps_num=1)(GeminiLoadImages(reduce=4)(dict(record)))
    first = cached(dict(record))
    monkeypatch.setattr(GeminiLoadImages, 'transform', lambda *_: pytest.fail('decoded again'))
    second = GeminiCachedLoading(steps=STEPS, folder=str(tmp_path))(dict(record))
    assert set(second) == set(first) == set(expected)
    assert torch.equal(second['points'].tensor, expected['points'].tensor)
    assert isinstance(second['img'], list) and len(second['img']) == 6
    for key in ('img', 'img_aug_matrix', 'cam2img', 'lidar2cam', 'camera_present'):
        np.testing.assert_array_equal(second[key], expected[key])
    for key in ('ori_shape', 'cam_names', 'num_points_dropped'):
        assert second[key] == expected[key]
    np.testing.assert_array_equal(second['ori_shapes'], expected['ori_shapes'])


def test_a_changed_file_and_other_steps_are_loaded_anew(record, tmp_path):
    GeminiCachedLoading(steps=STEPS, folder=str(tmp_path))(dict(record))
    path = record['lidar_points']['lidar_path']
    stat = os.stat(path)
    try:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
        GeminiCachedLoading(steps=STEPS, folder=str(tmp_path))(dict(record))
        kept = next(tmp_path.rglob('*.kept'))
        with np.load(io.BytesIO(kept.read_bytes()[32:])) as arrays:
            assert os.stat(path).st_mtime_ns in arrays['stamp']
    finally:
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    GeminiCachedLoading(steps=STEPS[:1], folder=str(tmp_path))(dict(record))
    assert len(list(tmp_path.rglob('*.kept'))) == 2


@pytest.mark.parametrize('damage', [
    lambda data: b'', lambda data: data[:20], lambda data: data[:100],
    lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:]])
def test_a_damaged_file_is_replaced(record, tmp_path, damage):
    cached = GeminiCachedLoading(steps=STEPS[1:], folder=str(tmp_path))
    first = cached(dict(record))['points'].tensor
    kept = next(tmp_path.rglob('*.kept'))
    whole = kept.read_bytes()
    kept.write_bytes(damage(whole))
    assert torch.equal(cached(dict(record))['points'].tensor, first)
    assert kept.read_bytes() == whole


def test_a_token_cannot_lead_out_of_the_folder(record, tmp_path):
    GeminiCachedLoading(steps=STEPS[1:], folder=str(tmp_path / 'in'))({**record, 'token': '../../out'})
    assert [path.name for path in tmp_path.iterdir()] == ['in']
    assert len(list((tmp_path / 'in').rglob('*.kept'))) == 1


def test_what_cannot_be_kept_is_named(record, tmp_path):
    @TRANSFORMS.register_module(force=True)
    class SetsAnObject:
        """A step whose result is no array."""

        def __call__(self, results):
            return {**results, 'thing': object()}

    with pytest.raises(ValueError, match='cannot keep thing, a object'):
        GeminiCachedLoading(steps=[dict(type='SetsAnObject')], folder=str(tmp_path))(dict(record))


@pytest.mark.parametrize('part', ['images', 'lidar_sweeps'])
def test_a_record_of_another_conversion_is_loaded_anew(record, tmp_path, part):
    cached = GeminiCachedLoading(steps=STEPS, folder=str(tmp_path))
    cached(dict(record))
    changed = copy.deepcopy({part: record[part]})
    if part == 'images':
        changed['images']['CAM_FRONT']['lidar2cam'][0][3] += 1.0
    else:
        changed['lidar_sweeps'][0]['lidar_points']['lidar2sensor'][0][3] += 1.0
    steps = GeminiLoadPoints(sweeps_num=1)(GeminiLoadImages(reduce=4)({**record, **changed}))
    found = cached({**record, **changed})
    np.testing.assert_array_equal(found['lidar2cam'], steps['lidar2cam'])
    assert torch.equal(found['points'].tensor, steps['points'].tensor)
