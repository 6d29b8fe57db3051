"""What is not computed is not missed: windows give the pixels of the whole; fine stripes turn grey."""
import cv2
import numpy as np
import pytest

from geminifusion3d.sensors.augment_images import resize_and_crop, warp

HEIGHT, WIDTH = 90, 160


@pytest.fixture(scope='module')
def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


# Above 0.7 bicubic interpolation, below averaged areas; 72 x 128 shares a grid with 90 x 160 at every
# fifth pixel, 71 x 127 nowhere.
@pytest.mark.parametrize('size_hw, interpolation', [
    ((72, 128), cv2.INTER_CUBIC), ((71, 127), cv2.INTER_CUBIC), ((117, 208), cv2.INTER_CUBIC),
    ((45, 80), cv2.INTER_AREA), ((36, 64), cv2.INTER_AREA), ((43, 77), cv2.INTER_AREA)])
@pytest.mark.parametrize('crop_xy', [(0, 0), (40, 31), (7, 2), (5, 20)])
def test_a_part_is_what_stands_there_in_the_whole_resized_image(noise, size_hw, interpolation, crop_xy):
    whole = cv2.resize(noise, size_hw[::-1], interpolation=interpolation)
    (x, y), (height, width) = crop_xy, (11, 23)
    part = resize_and_crop(noise, size_hw, crop_xy, (height, width))
    expected = whole[y:y + height, x:x + width]
    # Rounding may fall the other way; a window off by a pixel differs by a hundred.
    assert np.abs(part[:expected.shape[0]].astype(int) - expected).max() <= 1
    assert part.shape == (height, width, 3) and part.dtype == np.uint8


def test_outside_the_image_it_is_black(noise):
    part = resize_and_crop(noise + np.uint8(1), (45, 80), (-10, -6), (60, 100))
    inner = part[6:51, 10:90]
    assert part.sum() == inner.sum() and (inner.max(axis=2) > 0).all()


@pytest.mark.parametrize('crop_xy', [(200, 0), (0, 95), (-40, -40)])
def test_a_part_that_lies_outside_is_black_altogether(noise, crop_xy):
    part = resize_and_crop(noise, (45, 80), crop_xy, (20, 30))
    assert part.shape == (20, 30, 3) and not part.any()


def test_resizing_computes_no_more_than_the_part_needs(noise, monkeypatch):
    asked = []

    def resize(image, size_wh, **options):
        asked.append((image.shape, size_wh))
        return np.zeros((*size_wh[::-1], 3), np.uint8)
    monkeypatch.setattr(cv2, 'resize', resize)
    resize_and_crop(noise, (72, 128), (60, 40), (16, 24))
    # 4 new pixels for 5 old ones: rows 37 to 59 widen to 36 to 60, columns 57 to 87 to 56 to 88.
    assert asked == [((30, 40, 3), (32, 24))]


def test_stripes_finer_than_the_new_pixels_turn_grey():
    stripes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stripes[:, ::2] = 200
    turn = np.deg2rad(4.0)
    quarter = np.eye(4)
    quarter[:2, :2] = 0.25 * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    shown = warp(stripes, quarter, (12, 30))[4:, 2:]
    assert np.abs(shown.astype(int) - 100).max() <= 2


def test_a_warp_leaves_its_input_alone(noise):
    before, matrix = noise.copy(), np.diag([0.3, 0.3, 1.0, 1.0])
    warp(noise, matrix, (20, 30))
    np.testing.assert_array_equal(noise, before)
    np.testing.assert_array_equal(matrix, np.diag([0.3, 0.3, 1.0, 1.0]))
