"""What a picture's bytes say: format, size, whole or cut off; and what was merely resized."""
import cv2
import numpy as np
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.picture_files import decode, look_at, resize_ratio

IMAGE = np.random.default_rng(0).integers(0, 255, (90, 161, 3), dtype=np.uint8)
JPEG = cv2.imencode('.jpg', IMAGE)[1].tobytes()
PROGRESSIVE = cv2.imencode(
    '.jpg', IMAGE, [
        cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, 4])[1].tobytes()
PNG = cv2.imencode('.png', IMAGE)[1].tobytes()
# A thumbnail with an end marker of its own stands in a segment before the picture.
WITH_THUMBNAIL = JPEG[:2] + b'\xff\xe1' + \
    (len(JPEG[:3000]) + 4).to_bytes(2, 'big') + JPEG[:3000] + b'\xff\xd9' + JPEG[2:]


@pytest.mark.parametrize('data', [JPEG, PROGRESSIVE, WITH_THUMBNAIL, PNG])
def test_size_and_completeness(data):
    assert look_at(data, checks_sums=True) == (data[:2] == b'\xff\xd8', (90, 161), None)
    for trailer in (b'\0' * 10, b'CAMERA-TRAILER' + bytes(4096)):
        assert look_at(data + trailer).problem is None


@pytest.mark.parametrize('data', [JPEG, PROGRESSIVE, WITH_THUMBNAIL, PNG])
def test_wherever_it_is_cut_off_it_is_truncated(data):
    for length in [3, 10, 100, 600, 2000, len(data) // 2, len(data) - 200, len(data) - 1]:
        assert look_at(data[:length]).problem in ('truncated', 'neither JPEG nor PNG')
        # A download that reserved its room beforehand ends in zeros.
        assert look_at(data[:length] + bytes(500)).problem is not None


def test_a_flipped_bit_of_a_png_is_seen_where_sums_are_checked():
    damaged = bytearray(PNG)
    damaged[len(PNG) // 2] ^= 1
    assert look_at(bytes(damaged), checks_sums=True).problem == 'damaged'


@pytest.mark.parametrize('data', [b'', b'x', b'GIF89a', b'<html>'])
def test_other_files_are_neither(data):
    assert look_at(data).problem == 'neither JPEG nor PNG'


@pytest.mark.parametrize('hw, expected', [
    ((900, 1600), (1, 1)), ((450, 800), (0.5, 0.5)), ((300, 533), (300 / 900, 533 / 1600)),
    ((1800, 3200), (2, 2)),
    ((448, 800), None), ((900, 1599), (1, 1599 / 1600)), ((900, 1598), None), ((1600, 900), None)])
def test_only_what_keeps_its_shape_was_merely_resized(hw, expected):
    assert resize_ratio(hw, (900, 1600)) == expected


@pytest.mark.parametrize('reduce', [1, 2, 4])
def test_a_png_and_a_jpeg_are_decoded_at_the_scale_that_is_told(reduce):
    ramp = np.tile(np.arange(161, dtype=np.uint8), (90, 1))
    for ending in ('.png', '.jpg'):
        data = cv2.imencode(ending, ramp, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
        image, (_, scale_x) = decode(data, reduce)
        assert image.shape == (-(-90 // reduce), -(-161 // reduce), 3)
        # Brightness is the raw column: column u lies at (u + 0.5) / scale - 0.5.
        columns = (np.arange(image.shape[1]) + 0.5) / scale_x - 0.5
        np.testing.assert_allclose(image[10, 1:-1, 0], columns[1:-1], atol=1.01)


def test_a_header_that_promises_a_huge_picture_is_one_sentence():
    huge = bytearray(JPEG)
    place = JPEG.index(b'\xff\xc0') + 5
    huge[place:place + 4] = b'\xea\x60\xea\x60'
    with pytest.raises(UserError, match='60000x60000 by its header'):
        decode(bytes(huge))


def test_damage_in_the_middle_of_a_jpeg_is_found_when_it_is_decoded():
    middle = len(JPEG) // 2
    damaged = JPEG[:middle] + bytes(400) + JPEG[middle + 400:]
    assert look_at(damaged).problem is None
    for reduce in (1, 8):
        with pytest.raises(UserError, match='is damaged: it cannot be decoded'):
            decode(damaged, reduce)
    # Where nothing is damaged, the pixels are OpenCV's.
    for reduce, flag in ((1, cv2.IMREAD_COLOR), (4, cv2.IMREAD_REDUCED_COLOR_4)):
        expected = cv2.imdecode(np.frombuffer(JPEG, np.uint8), flag)
        np.testing.assert_array_equal(decode(JPEG, reduce)[0], expected)


@pytest.mark.parametrize('shift, is_dark', [(0, True), (4, False)])
def test_twelve_bits_of_sixteen_are_no_picture(shift, is_dark):
    values = np.random.default_rng(0).integers(0, 4096, (6, 8, 3)).astype(np.uint16) << shift
    data = cv2.imencode('.png', values)[1].tobytes()
    if is_dark:
        with pytest.raises(UserError, match='has 16 bits a channel, of which the upper ones are empty'):
            decode(data)
    else:
        np.testing.assert_allclose(decode(data)[0], values / 256, atol=1)
