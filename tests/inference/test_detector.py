"""The detector in Python: as testing predicts, for files and arrays, in a batch, with what is missing."""
import json
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from demo_weights import CONFIG, REPO, write_checkpoint

import geminifusion3d
from geminifusion3d.errors import UserError
from geminifusion3d.inference import Detections, Detector, Sample
from geminifusion3d.inference import detector as detector_module
from geminifusion3d.inference import nuscenes_samples
from geminifusion3d.nuscenes_facts import CAMERA_NAMES, LIDAR_COLUMNS
from geminifusion3d.point_files import read_point_file
from geminifusion3d.radar_files import RADAR_FIELDS, read_radar_file
from geminifusion3d.sensors import load_points


def sensors_of(sample: Sample, *, in_memory: bool = False) -> dict:
    """What a user would hand over of a keyframe."""
    info, root = sample.info, Path(sample.root)
    seen = {name: image for name, image in info['images'].items() if image['img_path']}
    picture = (lambda path: cv2.imread(str(path))) if in_memory else (lambda path: path)
    cloud = (lambda path: read_point_file(str(path), LIDAR_COLUMNS)) if in_memory else (lambda path: path)
    return dict(
        images={name: picture(root / image['img_path']) for name, image in seen.items()},
        cam2img={name: np.array(image['cam2img']) for name, image in seen.items()},
        lidar2cam={name: np.array(image['lidar2cam']) for name, image in seen.items()},
        points=cloud(root / info['lidar_points']['lidar_path']),
        sweeps=[dict(points=cloud(root / sweep['lidar_points']['lidar_path']), timestamp=sweep['timestamp'],
                     lidar_from_sweep=np.linalg.inv(sweep['lidar_points']['lidar2sensor']))
                for sweep in info['lidar_sweeps']],
        timestamp=info['timestamp'], ego_from_lidar=info['lidar_points']['lidar2ego'],
        global_from_ego=info['ego2global'], token=info['token'])


def assert_equal(first: Detections, second: Detections, **tolerance: float) -> None:
    """The same boxes in the same order."""
    assert len(first) == len(second) > 50 and first.names == second.names
    for name in ('boxes', 'velocities_mps', 'scores'):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), **tolerance, err_msg=name)


def test_it_finds_what_testing_finds(detector, checkpoint, converted_root, gemini3d, tmp_path):
    done = gemini3d('test', CONFIG, checkpoint, '--work-dir', tmp_path / 'work', '--split', 'mini_val',
                    '--cfg-options', f'data_root={converted_root}', 'test_evaluator.format_only=True',
                    f'test_evaluator.out_dir={tmp_path}', 'test_dataloader.num_workers=0',
                    'test_dataloader.persistent_workers=False')
    assert done.returncode == 0, done.stderr
    tested = json.loads((tmp_path / 'results_nusc.json').read_text())['results']
    samples = list(nuscenes_samples(converted_root, 'v1.0-mini', tokens=tested))
    assert len(samples) == len(tested) == 2
    for sample in samples:
        assert detector(sample).nuscenes_records() == tested[sample.token] != []


def test_files_arrays_and_keyframes_are_the_same(detector, checkpoint, sample):
    found = detector(sample)
    assert_equal(detector(**sensors_of(sample)), found, atol=1e-4)
    in_memory = sensors_of(sample, in_memory=True)
    cloud = {key: in_memory[key] for key in ('points', 'sweeps')}
    assert_equal(detector(**{**sensors_of(sample), **cloud}), found, atol=1e-4)
    # The recipe decodes files at half the size; a picture in memory is as large as it is.
    of_files = Detector.from_files(CONFIG, checkpoint, cfg_options={'load_images.reduce': 1})
    assert_equal(detector(**in_memory), of_files(sample), atol=1e-4)
    assert found.boxes.shape == (len(found), 7)
    assert found.class_names[0] == 'car' and found.token == sample.token
    assert (np.diff(found.scores) <= 0).all()


def test_a_batch_finds_what_one_by_one_finds(detector, sample):
    front = {**sensors_of(sample), 'points': None, 'sweeps': [], 'token': 'blind'}
    found = detector([sample, front, sensors_of(sample)], min_score=0.05)
    assert [one.token for one in found] == [sample.token, 'blind', sample.token]
    assert_equal(found[0], detector(sample, min_score=0.05), atol=1e-3)
    assert_equal(found[1], detector(min_score=0.05, **front), atol=1e-3)
    assert detector([]) == []


def test_every_camera_and_the_lidar_count(detector, sample):
    whole, sensors = detector(sample), sensors_of(sample)
    images = dict(sensors['images'])
    images['CAM_FRONT'], images['CAM_BACK'] = images['CAM_BACK'], images['CAM_FRONT']
    without_front = {name: image for name, image in sensors['images'].items() if name != 'CAM_FRONT'}
    changed = [{**sensors, 'images': images}, {**sensors, 'images': without_front}, {**sensors, 'images': {}},
               {**sensors, 'points': None, 'sweeps': []}, {**sensors, 'sweeps': []}]
    for others in changed:
        found = detector(**others)
        assert np.isfinite(found.boxes).all()
        assert found.scores.shape != whole.scores.shape or np.abs(found.scores - whole.scores).max() > 1e-5
    named_as_none = detector(**{**sensors, 'images': {**without_front, 'CAM_FRONT': None}})
    assert_equal(named_as_none, detector(**changed[1]))


def test_boxes_move_with_the_poses(detector, sample):
    found = detector(sample, min_score=0.1)
    info = sample.info
    ego_from_lidar = np.array(info['lidar_points']['lidar2ego'])
    global_from_ego = np.array(info['ego2global'])
    in_ego, in_global = found.in_ego(), found.in_global()
    np.testing.assert_allclose(in_ego.boxes[:, :3], found.boxes[:, :3] @ ego_from_lidar[:3, :3].T
                               + ego_from_lidar[:3, 3], atol=1e-4)
    np.testing.assert_allclose(in_global.boxes[:, :3], in_ego.boxes[:, :3] @ global_from_ego[:3, :3].T
                               + global_from_ego[:3, 3], atol=1e-4)
    speeds_mps = [np.hypot(*one.velocities_mps.T) for one in (in_ego, found)]
    np.testing.assert_allclose(*speeds_mps, rtol=1e-2)
    assert in_global.frame == 'global' and json.loads(json.dumps(in_global.to_dict()))['frame'] == 'global'
    with pytest.raises(UserError, match='in the global frame'):
        in_global.in_ego()
    unplaced = {**sensors_of(sample), 'global_from_ego': None}
    with pytest.raises(UserError, match='has no global_from_ego'):
        detector(**unplaced).in_global()


def test_threads_may_share_it(detector, sample):
    expected, found = detector(sample), {}
    threads = [threading.Thread(target=lambda key=key: found.update({key: detector(sample)}))
               for key in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    for one in found.values():
        assert_equal(one, expected)


def changed(sensors: dict, **changes: object) -> dict:
    """The sensors with the values of CAM_FRONT, or of a whole argument, changed; None removes one."""
    result = {key: dict(value) if isinstance(value, dict) else value for key, value in sensors.items()}
    for key, value in changes.items():
        if isinstance(result.get(key), dict) and not isinstance(value, dict):
            result[key]['CAM_FRONT'] = value
        else:
            result[key] = value
    return result


@pytest.mark.parametrize('changes, message', [
    (dict(images={'FRONT': np.zeros((9, 16, 3), np.uint8)}, cam2img={'FRONT': np.eye(3)},
          lidar2cam={'FRONT': np.eye(4)}), f'camera FRONT; .* expects {", ".join(CAMERA_NAMES)}'),
    (dict(cam2img=np.eye(4)), r'CAM_FRONT.cam2img is .* expected 3x3'),
    (dict(cam2img={}), 'cam2img is absent'), (dict(lidar2cam={}), 'lidar2cam is absent'),
    (dict(lidar2cam=np.diag([2.0, 1, 1, 1])), 'lidar2cam is no rotation'),
    (dict(points=np.zeros((5, 4), np.float32)), r'\(5, 4\); expected \(N, 5\) .* columns='),
    (dict(points=np.zeros((5, 5), np.float32), columns=['x', 'y', 'a', 'b', 'c']), 'x, y and z'),
    (dict(points='none.bin'), 'no file none.bin'), (dict(points=5), 'points is a int; expected a path'),
    (dict(images='none.jpg'), 'CAM_FRONT: there is no file none.jpg'),
    (dict(images=np.zeros((9, 16), np.uint8)), r'array \(9, 16\) of uint8; expected \(H, W, 3\)'),
    (dict(images=np.zeros((9, 16, 3), np.float32)), 'float32; expected'),
    (dict(images={}, points=None, sweeps=[]), 'neither images nor points nor radars'),
    (dict(timestamp=None), 'timestamp is absent'), (dict(min_score=50), 'min_score=50; expected 0 to 1'),
    (dict(lidar_2_cam={}), 'got .*lidar_2_cam.* expected the arguments'),
    (dict(ego_from_lidar=np.ones((4, 4))), 'ego_from_lidar is no rotation'), (dict(columns=()), 'columns')])
def test_each_mistake_is_one_sentence(detector, sample, changes, message):
    with pytest.raises(UserError, match=message) as error:
        in_memory = 'points' in changes or 'columns' in changes
        detector(**changed(sensors_of(sample, in_memory=in_memory), **changes))
    assert '\n' not in str(error.value)


def test_a_recipe_reads_its_own_sensors_only(sample, tmp_path):
    config = REPO / 'configs/demo/geminifusion3d_tiny_lidar_synthetic-mini.py'
    lidar = Detector.from_files(config, write_checkpoint(config, tmp_path / 'lidar.pth'))
    sensors = sensors_of(sample)
    assert_equal(lidar(**sensors), lidar(**{**sensors, 'images': {}}))
    with pytest.raises(UserError, match='reads; expected points'):
        lidar(**{**sensors, 'points': None, 'sweeps': []})


def test_files_that_do_not_fit_are_one_sentence(checkpoint, tmp_path):
    assert geminifusion3d.Detector is Detector
    camera_only = CONFIG.with_name('geminifusion3d_tiny_cam_synthetic-mini.py')
    for arguments, message in [((tmp_path / 'none.py', checkpoint), 'none.py does not exist'),
                               ((CONFIG, tmp_path / 'none.pth'), 'none.pth does not exist'),
                               ((camera_only, checkpoint), 'lidar_branch'),
                               ((CONFIG, checkpoint, 'cuda:77'), "device 'cuda:77' cannot be used")]:
        with pytest.raises(UserError, match=message):
            Detector.from_files(*arguments)


def test_radars_are_handed_over_by_name(synthetic_root, tmp_path):
    config = REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam-radar_synthetic-mini.py'
    sample = next(nuscenes_samples(synthetic_root, 'v1.0-mini', with_radars=True))
    detector = Detector.from_files(config, write_checkpoint(config, tmp_path / 'radar.pth', sample))
    found, root = detector(sample), Path(sample.root)
    files = {name: [dict(points=root / shot['radar_path'], lidar_from_radar=shot['lidar_from_radar'],
                         timestamp=shot['timestamp_us'] / 1e6) for shot in shots]
             for name, shots in sample.info['radars'].items()}
    columns = ['x', 'y', 'z', 'rcs', 'vx', 'vy']
    chosen = [RADAR_FIELDS.index(name) for name in (*columns[:4], 'vx_comp', 'vy_comp')]
    rows = {name: [{**shot, 'columns': columns, 'points': read_radar_file(str(shot['points']))[:, chosen]}
                   for shot in shots] for name, shots in files.items()}
    sensors = sensors_of(sample)
    assert_equal(detector(**sensors, radars=files), found, atol=1e-4)
    assert_equal(detector(**sensors, radars=rows), found, atol=1e-4)
    # Other names are as good, silent radars are missing ones.
    assert_equal(detector(**sensors, radars=dict(enumerate(rows.values()))), found, atol=1e-4)
    silent = detector(**sensors)
    assert len(silent) != len(found) or np.abs(silent.scores - found.scores).max() > 1e-5
    assert len(detector(radars=rows, token='blind', timestamp=sensors['timestamp']))
    with pytest.raises(UserError, match='lists no radars'):
        detector(next(nuscenes_samples(synthetic_root, 'v1.0-mini')))
    with pytest.raises(UserError, match=r'\(5, 3\); expected \(N, 6\)'):
        detector(radars={'front': [{**rows['RADAR_FRONT'][0], 'points': np.zeros((5, 3), np.float32)}]})


def test_half_precision_changes_boxes_a_little_and_graphs_need_a_gpu(detector, checkpoint, sample):
    half = Detector.from_files(CONFIG, checkpoint, precision='bf16')
    assert half.precision == 'bf16' and detector.precision == 'fp32'
    expected, found = detector(sample), half(sample)
    assert len(found) > 0 and not np.array_equal(found.scores, expected.scores)
    assert found.scores[0] == pytest.approx(expected.scores[0], abs=0.05)
    with pytest.raises(UserError, match="got precision 'int8'; expected fp32, fp16, bf16"):
        Detector.from_files(CONFIG, checkpoint, precision='int8')
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match='for predicting on a GPU, got a model on cpu; leave it out'):
            Detector.from_files(CONFIG, checkpoint, cuda_graphs=True)


def half(pictures: dict) -> dict:
    return {name: image[::2, ::2].copy() for name, image in pictures.items()}


@pytest.mark.parametrize('change, message', [
    (lambda sensors: dict(lidar2cam={name: np.linalg.inv(pose)
                                     for name, pose in sensors['lidar2cam'].items()}),
     'cameras that do not stand upright'),
    (lambda sensors: dict(images=half(sensors['images'])), 'optical axis far from their middle'),
    (lambda sensors: dict(lidar2cam={**sensors['lidar2cam'], 'CAM_FRONT': sensors['lidar2cam']['CAM_BACK'],
                                     'CAM_BACK': sensors['lidar2cam']['CAM_FRONT']}), 'look elsewhere'),
    (lambda sensors: dict(points=sensors['points'] * np.float32([1, 1, 1, 1 / 255, 1])), 'from 0 to 1'),
    (lambda sensors: dict(points=sensors['points'] + np.float32([400, 300, 0, 0, 0])),
     'points in the range'),
    (lambda sensors: {}, '')])
def test_what_is_hardly_meant_is_said_of_the_first_sample(checkpoint, sample, monkeypatch, change, message):
    said = []
    for module in (detector_module, load_points):
        monkeypatch.setattr(module, 'print_log', lambda text, *_: said.append(text))
    monkeypatch.setattr(load_points, '_said', set())
    sensors = {**sensors_of(sample, in_memory=True), 'sweeps': []}
    detector = Detector.from_files(CONFIG, checkpoint)
    sensors.update(change(sensors))
    detector(**sensors), detector(**sensors)
    assert any(message in line for line in said) if message else not said
    assert len(said) == len(set(said))
