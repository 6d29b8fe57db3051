"""The conversion as a whole: what is written, byte for byte, and what is left after a failure."""
import fcntl
import itertools
import multiprocessing
import os
import signal
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import pytest
from tiny_nuscenes import token, write_tiny_nuscenes

from geminifusion3d import atomic
from geminifusion3d.data_converters import convert_nuscenes as module
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import open_info_file
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.safe_pickle import load_plain_pickle
from geminifusion3d.sensors import GeminiLoadImages, GeminiLoadPoints, GeminiNuScenesDataset

VERSION = 'v1.0-mini'


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny dataset that no test changes."""
    return write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'))


@pytest.fixture
def own_root(tmp_path: Path) -> Path:
    """A tiny dataset to damage."""
    return write_tiny_nuscenes(tmp_path / 'root', keyframes=2)


def test_every_split_gets_its_own_scenes_and_says_which_it_is(root, tmp_path):
    paths = convert_nuscenes(root, VERSION, tmp_path)
    assert sorted(paths) == ['mini_train', 'mini_val']
    for split, scene in (('mini_train', 'scene-0061'), ('mini_val', 'scene-0103')):
        content = load_plain_pickle(tmp_path / f'geminifusion3d_infos_{split}.pkl')
        assert content['metainfo']['split'] == split
        assert content['metainfo']['version'] == VERSION
        assert [info['sample_idx'] for info in content['data_list']] == [0, 1, 2]
        assert {info['scene_name'] for info in content['data_list']} == {scene}


def test_bytes_do_not_depend_on_the_number_of_workers(root, tmp_path):
    scenes = ['scene-0061', 'scene-0553', 'scene-0103']
    write_tiny_nuscenes(tmp_path / 'more', scenes=scenes)
    one = convert_nuscenes(tmp_path / 'more', VERSION, tmp_path / 'one', workers=1)
    two = convert_nuscenes(tmp_path / 'more', VERSION, tmp_path / 'two', workers=2)
    again = convert_nuscenes(tmp_path / 'more', VERSION, tmp_path / 'two', workers=2)
    for split in one:
        assert one[split].read_bytes() == two[split].read_bytes() == again[split].read_bytes()


def test_a_test_set_without_annotations_has_empty_instance_lists(own_root, tmp_path):
    root = write_tiny_nuscenes(tmp_path / 'test', version='v1.0-test', scenes=['scene-0077'])
    for table in ('instance', 'sample_annotation'):
        (root / 'v1.0-test' / f'{table}.json').write_text('[]')
    path = convert_nuscenes(root, 'v1.0-test', tmp_path)['test']
    assert all(info['instances'] == [] for info in load_plain_pickle(path)['data_list'])


def test_all_damaged_files_are_told_in_one_message_and_nothing_is_written(own_root, tmp_path):
    sweep = next(own_root.glob('sweeps/LIDAR_TOP/scene-0061*'))
    keyframe = next(own_root.glob('samples/LIDAR_TOP/scene-0061*'))
    image, other_image, third_image = sorted(own_root.glob('samples/CAM_BACK/*'))[:3]
    sweep.unlink()
    keyframe.write_bytes(keyframe.read_bytes()[:-3])
    image.write_bytes(b'')
    other_image.write_bytes(other_image.read_bytes()[:-200])
    third_image.rename(third_image.with_suffix('.moved'))
    with pytest.raises(UserError) as error:
        convert_nuscenes(own_root, VERSION, tmp_path / 'out', workers=2)
    message = str(error.value)
    # Two scenes with 2 keyframes: 2 * (2 * 6 images + 11 sweeps, keyframes included).
    assert '5 of 46 sensor files' in message
    assert '1 empty, 2 missing, 2 truncated' in message
    assert 'samples/CAM_BACK 3, samples/LIDAR_TOP 1, sweeps/LIDAR_TOP 1' in message
    assert '2 scenes, first scene-0061' in message and 'v1.0-mini.tgz' in message
    assert '\n' not in message
    assert not (tmp_path / 'out').exists()


def test_a_failure_between_two_splits_leaves_the_old_files(root, tmp_path, monkeypatch):
    for split in ('mini_train', 'mini_val'):
        (tmp_path / f'geminifusion3d_infos_{split}.pkl').write_bytes(b'old')
    real_write, calls = module.write_info_file, []

    def fails_the_second_time(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError('disk full')
        real_write(*args)

    monkeypatch.setattr(module, 'write_info_file', fails_the_second_time)
    monkeypatch.setattr(module, 'is_own_info_file', lambda path: True)
    with pytest.raises(OSError, match='disk full'):
        convert_nuscenes(root, VERSION, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        'geminifusion3d_infos_mini_train.pkl', 'geminifusion3d_infos_mini_val.pkl']
    assert all(path.read_bytes() == b'old' for path in tmp_path.iterdir())


def convert_and_die_while_writing(root: Path, out_dir: Path) -> None:
    """Runs in a child process: half of the first file is written, then SIGKILL."""
    def half(file: IO[bytes], metainfo: dict, records: list) -> None:
        file.write(b'half of a file')
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    module.write_info_file = half
    convert_nuscenes(root, VERSION, out_dir)


def test_after_a_kill_while_writing_the_next_run_completes_and_cleans_up(root, tmp_path):
    child = multiprocessing.get_context('fork').Process(
        target=convert_and_die_while_writing, args=(root, tmp_path))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert not list(tmp_path.glob('geminifusion3d_infos_*.pkl'))
    assert list(tmp_path.glob('.geminifusion3d_infos_*.part'))
    paths = convert_nuscenes(root, VERSION, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths.values())


def test_two_conversions_do_not_write_to_one_folder(root, tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, 'PATIENCE_S', 0.0)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(UserError, match='another command is writing'):
            convert_nuscenes(root, VERSION, tmp_path)
    finally:
        os.close(handle)


def test_a_keyframe_that_lacks_a_camera_is_converted_with_the_camera_marked_as_missing(
        own_root, tmp_path, capsys):
    table = own_root / VERSION / 'sample_data.json'
    table.write_text(table.read_text().replace(
        '"fileformat": "jpg", "is_key_frame": true', '"fileformat": "jpg", "is_key_frame": false',
        1))
    infos = open_info_file(convert_nuscenes(own_root, VERSION, tmp_path / 'out')['mini_train'])
    assert infos[0]['images']['CAM_FRONT'] == {
        'img_path': None} and infos[1]['images']['CAM_FRONT']['img_path']
    first = token('scene-0061', 'sample', 1_532_402_900_000_000)
    assert f'1 keyframes without CAM_FRONT: marked as missing; first: sample {first}' in capsys.readouterr(
    ).out


@pytest.mark.parametrize('sweeps, workers', [(-1, 1), (10, 0)])
def test_impossible_numbers_are_refused(root, tmp_path, sweeps, workers):
    with pytest.raises(UserError, match='expected at least 0 and 1'):
        convert_nuscenes(root, VERSION, tmp_path, max_sweeps=sweeps, workers=workers)


def test_the_command_line_writes_files_and_says_where(gemini3d, root, tmp_path):
    done = gemini3d('convert', '--dataroot', root, '--out', tmp_path, '--workers', 2)
    assert done.returncode == 0, done.stderr
    assert f'mini_val: {tmp_path}/geminifusion3d_infos_mini_val.pkl' in done.stdout


def test_the_words_of_mmdet3d_mean_the_same(gemini3d, root, tmp_path):
    done = gemini3d('convert', 'nuscenes', '--root-path', root, '--version', VERSION, '--out-dir', tmp_path,
                    '--splits', 'mini_val', '--workers', 1)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob('*.pkl')] == ['geminifusion3d_infos_mini_val.pkl']


def test_the_command_line_ends_a_mistake_in_one_line(gemini3d, root, tmp_path):
    done = gemini3d('convert', '--dataroot', root, '--out', tmp_path, '--version', 'v1.0-big')
    assert done.returncode == 2
    assert done.stderr.startswith("error: version 'v1.0-big'") and done.stderr.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_damage_in_the_middle_of_files_is_found_where_all_is_read(own_root, tmp_path, capsys):
    picture = next((own_root / 'samples/CAM_FRONT').iterdir())
    noise = np.random.default_rng(0).integers(0, 255, (900, 1600, 3), np.uint8)
    data = cv2.imencode('.jpg', noise)[1].tobytes()
    picture.write_bytes(data[:9000] + bytes(2000) + data[11000:])
    sweep = next((own_root / 'samples/LIDAR_TOP').iterdir())
    np.full((4, 5), np.nan, '<f4').tofile(sweep)
    convert_nuscenes(own_root, VERSION, tmp_path / 'a')
    with pytest.raises(UserError, match='2 of .*1 damaged, 1 without a sound point') as error:
        convert_nuscenes(own_root, VERSION, tmp_path / 'b', reads_all=True)
    assert picture.name in str(error.value) and sweep.name in str(error.value)


@pytest.mark.parametrize('name', ['samples/CAM_FRONT', 'samples/LIDAR_TOP', 'sweeps/LIDAR_TOP'])
def test_a_bit_that_flips_after_all_was_read_is_found_when_the_file_is_loaded(own_root, tmp_path, name):
    convert_nuscenes(own_root, VERSION, tmp_path, splits=['mini_train'], reads_all=True)
    dataset = GeminiNuScenesDataset(
        data_root=str(own_root), ann_file=str(tmp_path / 'geminifusion3d_infos_mini_train.pkl'), pipeline=[],
        test_mode=True, load_eval_anns=False)
    steps = [GeminiLoadImages(), GeminiLoadPoints()]
    keyframes = [dataset.get_data_info(index) for index in range(len(dataset))]
    for keyframe, step in itertools.product(keyframes, steps):
        step.transform(keyframe)
    path = sorted((own_root / name).iterdir())[0]
    data = bytearray(path.read_bytes())
    # Of a picture the lightness of a block, of a cloud the last digit of a number.
    data[-40 if path.suffix == '.jpg' else 0] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=f'{path.name} is not the file that was converted'):
        for keyframe, step in itertools.product(keyframes, steps):
            step.transform(keyframe)


def test_a_file_that_differs_is_a_missing_sensor_on_request(own_root, tmp_path):
    convert_nuscenes(own_root, VERSION, tmp_path, splits=['mini_train'], reads_all=True)
    info = open_info_file(tmp_path / 'geminifusion3d_infos_mini_train.pkl')[0]
    for entry in info['images'].values():
        entry['img_path'] = str(own_root / entry['img_path'])
    info['images']['CAM_BACK']['crc32'] ^= 1
    present = GeminiLoadImages(missing='mark').transform(info)['camera_present']
    assert present.tolist() == [name != 'CAM_BACK' for name in CAMERA_NAMES]
