"""Images in the promised order, and matrices that know how they were decoded."""
from pathlib import Path

import cv2
import numpy as np
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors import GeminiLoadImages

HEIGHT, WIDTH = 90, 160


@pytest.fixture
def results(tmp_path: Path) -> dict:
    """Six grey images: brightness grows to the right, from 20 times the camera's number."""
    images = {}
    for number, name in enumerate(reversed(CAMERA_NAMES)):
        ramp = np.tile(np.arange(WIDTH) + 10.0 * number, (HEIGHT, 1))
        cv2.imwrite(str(tmp_path / f'{name}.jpg'), ramp, [cv2.IMWRITE_JPEG_QUALITY, 100])
        images[name] = {'img_path': str(tmp_path / f'{name}.jpg'), 'height': HEIGHT,
                        'width': WIDTH, 'lidar2cam': np.full((4, 4), number).tolist(),
                        'cam2img': [[100, 0, 80], [0, 100, 45], [0, 0, 1]]}
    return {'images': images}


def test_cameras_come_in_the_fixed_order_whatever_the_order_of_the_info(results):
    loaded = GeminiLoadImages().transform(results)
    assert loaded['cam_names'] == CAMERA_NAMES
    left_edge = [image[:, 0].mean() for image in loaded['img']]
    np.testing.assert_allclose(left_edge, [50, 40, 30, 20, 10, 0], atol=1)
    assert loaded['lidar2cam'][:, 0, 0].tolist() == [5, 4, 3, 2, 1, 0]
    assert loaded['cam2img'][2].tolist() == [[100, 0, 80, 0], [0, 100, 45, 0], [0, 0, 1, 0],
                                             [0, 0, 0, 1]]
    assert loaded['ori_shape'] == (HEIGHT, WIDTH)


def test_a_subset_of_cameras_can_be_asked_for(results):
    loaded = GeminiLoadImages(camera_names=['CAM_BACK']).transform(results)
    assert len(loaded['img']) == 1 and loaded['lidar2cam'].shape == (1, 4, 4)


@pytest.mark.parametrize('reduce', [1, 2, 4, 8])
def test_the_matrix_says_where_each_raw_pixel_went_when_decoded_small(results, reduce):
    loaded = GeminiLoadImages(camera_names=['CAM_BACK_RIGHT'], reduce=reduce).transform(results)
    brightness = loaded['img'][0][HEIGHT // reduce // 2, :, 0]
    # The raw brightness is the raw column, so it must be the inverse matrix of the column.
    matrix = loaded['img_aug_matrix'][0]
    raw_columns = (np.arange(len(brightness)) - matrix[0, 3]) / matrix[0, 0]
    np.testing.assert_allclose(brightness[1:-1], raw_columns[1:-1], atol=1.01)
    assert abs((brightness - raw_columns)[1:-1].mean()) < 0.51


def test_an_unreadable_image_is_named(results, tmp_path):
    (tmp_path / 'CAM_BACK.jpg').write_bytes(b'no picture')
    with pytest.raises(UserError, match='the picture .*CAM_BACK.jpg is neither JPEG nor PNG'):
        GeminiLoadImages().transform(results)


@pytest.mark.parametrize('reduce', [1, 8])
def test_an_unreadable_image_can_be_a_missing_camera(results, tmp_path, reduce):
    (tmp_path / 'CAM_BACK.jpg').write_bytes(b'no picture')
    (tmp_path / 'CAM_FRONT_LEFT.jpg').unlink()
    loaded = GeminiLoadImages(missing='mark', reduce=reduce).transform(results)
    assert loaded['camera_present'].tolist() == [True, True, False, False, True, True]
    assert not loaded['img'][2].any() and not loaded['img'][3].any()
    assert len({image.shape for image in loaded['img']}) == 1
    whole = GeminiLoadImages(missing='mark', camera_names=['CAM_FRONT']).transform(results)
    assert whole['camera_present'].all()


def test_another_answer_to_missing_files_is_refused():
    with pytest.raises(ValueError, match="missing='skip'; expected one of error, mark"):
        GeminiLoadImages(missing='skip')


def test_a_reduction_that_jpeg_cannot_do_is_refused():
    with pytest.raises(ValueError, match=r'reduce=3; expected one of \[1, 2, 4, 8\]'):
        GeminiLoadImages(reduce=3)
