"""From a JPEG file through decoding and augmentation: a spot is shown where the matrix puts it."""
import cv2
import numpy as np
import pytest

from geminifusion3d.sensors import GeminiAugmentImages, GeminiLoadImages

HEIGHT, WIDTH = 450, 800
SPREAD_PX, WINDOW_PX = 5.0, 10
CAMERA = 'CAM_FRONT'


@pytest.fixture(scope='module')
def spots_px() -> np.ndarray:
    """Centres (N, 2) of spots in the raw picture, at fractions of a pixel, off the middle of blocks."""
    u, v = np.meshgrid(np.arange(60, WIDTH - 40, 75.3), np.arange(60, HEIGHT - 40, 70.7))
    return np.stack([u.ravel(), v.ravel()], axis=1)


@pytest.fixture(scope='module')
def results(tmp_path_factory: pytest.TempPathFactory, spots_px: np.ndarray) -> dict:
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    distance_px = np.hypot(u - spots_px[:, 0, None, None], v - spots_px[:, 1, None, None])
    picture = 220 * np.exp(-0.5 * (distance_px / SPREAD_PX) ** 2).max(axis=0)
    path = tmp_path_factory.mktemp('spots') / 'spots.jpg'
    cv2.imwrite(str(path), np.dstack([picture] * 3), [cv2.IMWRITE_JPEG_QUALITY, 95])
    return {'images': {CAMERA: {'img_path': str(path), 'height': HEIGHT, 'width': WIDTH,
                                'cam2img': np.eye(3).tolist(), 'lidar2cam': np.eye(4).tolist()}}}


def centroid(image: np.ndarray, near_px: np.ndarray) -> np.ndarray:
    """Where the light around a place has its centre."""
    left, top = np.round(near_px).astype(int) - WINDOW_PX
    window = image[top:top + 2 * WINDOW_PX + 1, left:left + 2 * WINDOW_PX + 1, 0].astype(np.float64)
    window[window < 20] = 0
    v, u = np.mgrid[:window.shape[0], :window.shape[1]]
    return np.array([(u * window).sum(), (v * window).sum()]) / window.sum() + [left, top]


@pytest.mark.parametrize('reduce', [1, 2, 4])
@pytest.mark.parametrize('rotate_range_deg', [(0.0, 0.0), (-5.4, 5.4)])
def test_spots_are_where_the_matrix_puts_them(results, spots_px, reduce, rotate_range_deg):
    loaded = GeminiLoadImages(camera_names=[CAMERA], reduce=reduce).transform(results)
    augment = GeminiAugmentImages(final_hw=(160, 350), resize_range=(0.38, 0.55), flip=True,
                                  rotate_range_deg=rotate_range_deg, training=True)
    errors_px = []
    for seed in range(4):
        np.random.seed(seed)
        augmented = augment.transform(loaded)
        matrix = augmented['img_aug_matrix'][0].astype(np.float64)
        expected_px = spots_px @ matrix[:2, :2].T + matrix[:2, 3]
        is_seen = ((expected_px > 12) & (expected_px < [350 - 13, 160 - 13])).all(axis=1)
        errors_px += [centroid(augmented['img'][0], place) - place for place in expected_px[is_seen]]
    assert len(errors_px) > 30
    # Half a decoded pixel too few would be 0.1 to 0.8 pixels here, all in one direction.
    assert np.abs(np.mean(errors_px, axis=0)).max() < 0.03
    assert np.abs(errors_px).max() < 0.3
