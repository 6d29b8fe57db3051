"""Whole, missing, empty and truncated sensor files."""
import cv2
import numpy as np
import pytest

from geminifusion3d.data_converters.sensor_files import describe_problems, picture_file_facts

JPEG = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 255, (90, 160, 3)))[1].tobytes()


@pytest.mark.parametrize('content, expected', [
    (JPEG, None),
    (JPEG + b'\0' * 10, None),
    (JPEG[:-2], 'truncated'),
    (JPEG[:len(JPEG) // 2], 'truncated'),
    (b'<html>not found</html>', 'neither JPEG nor PNG'),
    (b'', 'empty'),
])
def test_a_file_is_judged_by_its_size_and_ends(tmp_path, content, expected):
    (tmp_path / 'a.jpg').write_bytes(content)
    assert picture_file_facts(str(tmp_path / 'a.jpg'))[0] == expected


def test_an_absent_file_or_folder_is_missing(tmp_path):
    assert picture_file_facts(str(tmp_path / 'samples' / 'a.jpg'))[0] == 'missing'


def test_the_archive_to_unpack_again_is_named(tmp_path):
    problem = ('missing', 'scene-0001', 'samples/CAM_BACK/a.jpg')
    assert 'v1.0-trainval01_blobs.tgz' in describe_problems([problem], 9, tmp_path,
                                                            'v1.0-trainval')
    assert 'v1.0-test_blobs.tgz' in describe_problems([problem], 9, tmp_path, 'v1.0-test')
    assert 'write these files' in describe_problems([problem], 9, tmp_path, 'own')
