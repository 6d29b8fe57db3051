"""An MCAP file read back: as many messages as sensors, at the samples' times, with their values."""
import base64
import json
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from pyquaternion import Quaternion

from geminifusion3d.errors import UserError
from geminifusion3d.inference import Sample, nuscenes_samples
from geminifusion3d.inference.mcap_scene import SCHEMAS, STEP_NS, times_of, write_mcap


@pytest.fixture(scope='module')
def scene(detector, synthetic_root):
    """The two keyframes of a scene, and what is found in them."""
    samples = list(nuscenes_samples(synthetic_root, 'v1.0-mini'))[:2]
    assert samples[0].info['scene_token'] == samples[1].info['scene_token']
    return samples, detector(samples)


@pytest.fixture(scope='module')
def messages(scene, detector, tmp_path_factory):
    """Schema, topic, time in ns and content of every message; the later sample was handed over first."""
    reader = pytest.importorskip('mcap.reader', reason='the package mcap is not installed')
    path = tmp_path_factory.mktemp('mcap') / 'scene.mcap'
    samples, found = scene
    write_mcap(path, detector, samples[::-1], found[::-1], min_score=0.1)
    with path.open('rb') as stream:
        return [(schema, channel.topic, message.log_time, json.loads(message.data))
                for schema, channel, message in reader.make_reader(stream).iter_messages()]


def matrix(translation, rotation):
    """4x4 of a message's two dictionaries."""
    pose = Quaternion(rotation['w'], rotation['x'], rotation['y'], rotation['z']).transformation_matrix
    pose[:3, 3] = [translation[axis] for axis in 'xyz']
    return pose


def test_every_sensor_speaks_once_per_sample_at_its_time(scene, messages):
    times_ns = [sample.info['timestamp_us'] * 1000 for sample in scene[0]]
    topics = ['/lidar', '/predictions', '/ground_truth', *['/tf'] * 8]
    topics += [f'/{name}/{kind}' for name in scene[0][0].info['images'] for kind in ('image', 'calibration')]
    assert Counter((topic, at_ns) for _, topic, at_ns, _ in messages) == Counter(
        (topic, at_ns) for topic in topics for at_ns in times_ns)
    assert [at_ns for _, _, at_ns, _ in messages] == sorted(at_ns for _, _, at_ns, _ in messages)
    for schema, _, at_ns, content in messages:
        declared = json.loads(schema.data)
        assert schema.encoding == 'jsonschema' and schema.name in SCHEMAS
        assert set(content) == set(declared['properties'])
        stamp = content.get('timestamp') or content['deletions'][0]['timestamp']
        assert stamp['sec'] * 10**9 + stamp['nsec'] == at_ns


def test_points_pictures_and_poses_are_those_of_the_sample(scene, messages):
    sample = scene[0][0]
    of_sample = [(topic, content) for _, topic, at_ns, content in messages
                 if at_ns == sample.info['timestamp_us'] * 1000]
    content = dict(of_sample)
    rows = np.fromfile(f'{sample.root}/{sample.info["lidar_points"]["lidar_path"]}', '<f4').reshape(-1, 5)
    read = np.frombuffer(base64.b64decode(content['/lidar']['data']), '<f4').reshape(-1, 4)
    assert content['/lidar']['point_stride'] == 16
    np.testing.assert_array_equal(read, rows[:, :4])
    poses = {(one['parent_frame_id'], one['child_frame_id']): matrix(one['translation'], one['rotation'])
             for topic, one in of_sample if topic == '/tf'}
    np.testing.assert_allclose(poses['map', 'ego'], sample.info['ego2global'], atol=1e-5)
    np.testing.assert_allclose(poses['ego', 'lidar'], sample.info['lidar_points']['lidar2ego'], atol=1e-5)
    for name, image in sample.info['images'].items():
        with open(f'{sample.root}/{image["img_path"]}', 'rb') as stream:
            assert base64.b64decode(content[f'/{name}/image']['data']) == stream.read()
        np.testing.assert_allclose(poses['lidar', name] @ image['lidar2cam'], np.eye(4), atol=1e-4)
        calibration = content[f'/{name}/calibration']
        np.testing.assert_allclose(np.reshape(calibration['K'], (3, 3)), np.array(image['cam2img'])[:3, :3])
        assert (calibration['width'], calibration['height']) == (1600, 900)


def test_boxes_are_those_that_were_found(scene, messages, detector):
    samples, found = scene
    for sample, one in zip(samples, found):
        content = {topic: content for _, topic, at_ns, content in messages
                   if at_ns == sample.info['timestamp_us'] * 1000}
        shown = one.above(0.1)
        entities = content['/predictions']['entities']
        assert len(entities) == len(shown) > 0
        for entity, box, name, score in zip(entities, shown.boxes.tolist(), shown.names, shown.scores):
            cube = entity['cubes'][0]
            assert [cube['pose']['position'][axis] for axis in 'xyz'] == box[:3]
            assert [cube['size'][axis] for axis in 'xyz'] == box[3:6]
            turn = cube['pose']['orientation']
            assert np.exp(2j * np.arctan2(turn['z'], turn['w'])) == pytest.approx(np.exp(1j * box[6]))
            assert entity['texts'][0]['text'] == f'{name} {score:.2f}'
        assert len(content['/ground_truth']['entities']) == len(detector.truth_of(sample)['gt_labels_3d'])


def test_samples_without_time_truth_or_poses(scene, detector, tmp_path):
    reader = pytest.importorskip('mcap.reader', reason='the package mcap is not installed')
    samples, found = scene
    bare = [replace(sample, info={**sample.info, 'timestamp_us': 0, 'instances': []}) for sample in samples]
    write_mcap(tmp_path / 'bare.mcap', detector, bare,
               [replace(one, ego_from_lidar=None) for one in found], min_score=1.0)
    with (tmp_path / 'bare.mcap').open('rb') as stream:
        read = [(channel.topic, message.log_time) for _, channel, message in
                reader.make_reader(stream).iter_messages()]
    assert {at_ns for _, at_ns in read} == {0, 500_000_000}
    assert Counter(topic for topic, _ in read)['/tf'] == 12 and '/ground_truth' not in dict(read)


def test_without_the_package_it_says_what_to_install(scene, detector, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'mcap', None)
    with pytest.raises(UserError, match=r"not installed; run pip install 'geminifusion3d\[mcap\]'"):
        write_mcap(tmp_path / 'no.mcap', detector, *scene)
    assert not list(tmp_path.iterdir())


def test_samples_of_which_one_has_no_time_stay_in_their_order():
    timed, untimed = (Sample({'timestamp_us': time_us}, '') for time_us in (7, None))
    assert times_of([timed, timed]) == [7000, 7000]
    assert times_of([timed, untimed]) == [0, STEP_NS]
