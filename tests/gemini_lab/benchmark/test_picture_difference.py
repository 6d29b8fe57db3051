"""The difference is small where the pictures are right, and grows with what is wrong."""
import cv2
import numpy as np
import pytest

from gemini_lab.benchmark.picture_difference import (compared, inside, picture_difference,
                                                     reference_picture, with_whole_pictures)
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.load_images import resize_matrix

HEIGHT, WIDTH = 120, 200
AUGMENT = dict(type='GeminiAugmentImages', final_hw=(40, 80), resize_range=(0.45, 0.45))


@pytest.fixture(scope='module')
def info(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Six smooth pictures with edges."""
    folder, images = tmp_path_factory.mktemp('pictures'), {}
    rng = np.random.default_rng(0)
    for name in CAMERA_NAMES:
        picture = cv2.resize(rng.integers(0, 256, (15, 25, 3), dtype=np.uint8), (WIDTH, HEIGHT))
        picture[30:60, 40:90] = 230
        cv2.imwrite(str(folder / f'{name}.jpg'), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
        images[name] = dict(img_path=str(folder / f'{name}.jpg'), height=HEIGHT, width=WIDTH,
                            cam2img=np.eye(3).tolist(), lidar2cam=np.eye(4).tolist())
    return {'images': images}


def test_whole_pictures_are_nearer_than_halves_and_those_than_quarters(info):
    found = {reduce: picture_difference(info, [dict(type='GeminiLoadImages', reduce=reduce), AUGMENT])
             for reduce in (1, 2, 4)}
    psnr_db = [found[reduce]['psnr_db'] for reduce in (1, 2, 4)]
    assert psnr_db[0] > psnr_db[1] > psnr_db[2] + 3 and psnr_db[1] > 35
    assert found[1]['mean_difference'] < found[2]['mean_difference'] < found[4]['mean_difference']


def test_a_picture_beside_its_matrix_differs_more():
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    raw = np.dstack([128 + 100 * np.sin(u / 7) * np.cos(v / 9)] * 3).astype(np.uint8)
    half = resize_matrix(0.5, 0.5).astype(np.float64)
    picture = cv2.resize(raw, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    is_inside = inside(raw.shape[:2], half, picture.shape[:2])
    right = compared(picture, reference_picture(raw, half, picture.shape[:2]), is_inside)
    # Half a raw pixel beside: what happens where pixel centres are forgotten.
    beside = half @ resize_matrix(1, 1) + [[0, 0, 0, 0.25], [0, 0, 0, 0.25], [0] * 4, [0] * 4]
    wrong = compared(picture, reference_picture(raw, beside, picture.shape[:2]), is_inside)
    assert np.abs(right).mean() < 1.0 < 3.0 < np.abs(wrong).mean()


def test_what_lies_outside_is_not_compared():
    is_inside = inside((HEIGHT, WIDTH), np.eye(4), (HEIGHT + 20, WIDTH + 30))
    assert is_inside[:HEIGHT - 4, :WIDTH - 4].all()
    assert not is_inside[HEIGHT - 3:].any() and not is_inside[:, WIDTH - 3:].any()


def test_whole_pictures_change_the_loader_alone():
    steps = [dict(type='GeminiLoadImages', reduce=2), AUGMENT]
    assert with_whole_pictures(steps) == [dict(type='GeminiLoadImages', reduce=1), AUGMENT]
    assert steps[0]['reduce'] == 2
