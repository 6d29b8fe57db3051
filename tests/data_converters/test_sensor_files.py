"""Whole, missing, empty and truncated sensor files."""
import cv2
import numpy as np
import pytest

from geminifusion3d.data_converters.sensor_files import describe_problems, sensor_file_problem

JPEG = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 255, (90, 160, 3)))[1].tobytes()


@pytest.mark.parametrize('name, content, expected', [
    ('a.pcd.bin', b'x' * 40, None),
    ('a.pcd.bin', b'x' * 41, 'truncated'),
    ('a.pcd.bin', b'', 'empty'),
    ('a.jpg', JPEG, None),
    ('a.jpg', JPEG + b'\0' * 10, None),
    ('a.jpg', JPEG[:-2], 'truncated'),
    ('a.jpg', JPEG[:len(JPEG) // 2], 'truncated'),
    ('a.jpg', b'<html>not found</html>', 'neither JPEG nor PNG'),
    ('a.jpg', b'', 'empty'),
])
def test_a_file_is_judged_by_its_size_and_ends(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    assert sensor_file_problem(tmp_path / name) == expected


def test_an_absent_file_or_folder_is_missing(tmp_path):
    assert sensor_file_problem(tmp_path / 'samples' / 'a.jpg') == 'missing'


def test_the_archive_to_unpack_again_is_named(tmp_path):
    problem = ('missing', 'scene-0001', 'samples/CAM_BACK/a.jpg')
    assert 'v1.0-trainval01_blobs.tgz' in describe_problems([problem], 9, tmp_path,
                                                            'v1.0-trainval')
    assert 'v1.0-test_blobs.tgz' in describe_problems([problem], 9, tmp_path, 'v1.0-test')
    assert 'write these files' in describe_problems([problem], 9, tmp_path, 'own')
