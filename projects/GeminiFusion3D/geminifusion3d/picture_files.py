"""Pictures as files: which format, how large, whole or cut off; read once and compared with the tables.

A JPEG that was cut off is decoded to a picture with a grey rest by most decoders, without a word, so its
markers are looked at first: nothing is decoded for that. Damage in the middle shows when it is decoded, by
libjpeg-turbo with its warnings as errors; OpenCV only prints them. A flipped bit that leaves another valid
code is another picture: JPEG has no check sum.
"""
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple, Optional, Tuple, Union

import cv2
import numpy as np
import simplejpeg

from .atomic import write_whole
from .errors import UserError

JPEG_START, PNG_START = b'\xff\xd8', b'\x89PNG\r\n\x1a\n'
JPEG_END, PNG_END = b'\xff\xd9', b'\0\0\0\0IEND\xaeB`\x82'
# Behind the end marker some encoders write a few bytes, and some cameras a block of their own.
TAIL_BYTES = 64
# Where a PNG says its bits a channel; 12 bits of 16 give at most 15 of 255.
PNG_DEPTH_AT, DARKEST_16_BIT = 24, 16
# In coded data FF is followed by 00 or by a restart marker; anything else is a marker.
_JPEG_MARKER = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')
_JPEG_SIZES = {*range(0xc0, 0xd0)} - {0xc4, 0xc8, 0xcc}
_JPEG_SCAN = 0xda
MAX_PIXELS = 200_000_000
REDUCTIONS = (1, 2, 4, 8)
WRITTEN = ('.png', '.jpg')

Buffer = Union[bytes, memoryview]


class Picture(NamedTuple):
    """What a file's bytes say about its picture.

    Attributes:
        is_jpeg: JPEG, else PNG.
        hw: height and width in pixels.
        problem: None, or why it cannot be used: 'truncated', 'damaged'.
    """

    is_jpeg: bool
    hw: Tuple[int, int]
    problem: Optional[str] = None


def look_at(data: Buffer, *, checks_sums: bool = False) -> Picture:
    """Reads size and completeness from the bytes of a JPEG or PNG file.

    Args:
        data: the whole file, or a map of it, of which only the parts that matter are touched.
        checks_sums: also verify the check sums that PNG files hold, which touches every byte.
    """
    if data[:len(JPEG_START)] == JPEG_START:
        return _look_at_jpeg(data)
    if data[:len(PNG_START)] == PNG_START:
        return _look_at_png(data, checks_sums)
    return Picture(True, (0, 0), 'neither JPEG nor PNG')


def _look_at_jpeg(data: Buffer) -> Picture:
    place, hw = len(JPEG_START), (0, 0)
    while True:
        if len(data) < place + 4:
            return Picture(True, hw, 'truncated')
        if data[place] != 0xff:
            return Picture(True, hw, 'damaged')
        kind = data[place + 1]
        if kind in (0xff, 0x01) or 0xd0 <= kind <= 0xd8:  # a fill byte, or a marker without a length
            place += 1 if kind == 0xff else 2
            continue
        length = struct.unpack_from('>H', data, place + 2)[0]
        if kind in _JPEG_SIZES and len(data) >= place + 9:
            hw = struct.unpack_from('>HH', data, place + 5)
        place += 2 + length
        if kind == _JPEG_SCAN:
            break
    problem = None if min(hw) else 'damaged'
    if bytes(data[max(place, len(data) - TAIL_BYTES):]).find(JPEG_END) >= 0:
        return Picture(True, hw, problem)
    return Picture(True, hw, problem if _has_jpeg_end(data, place) else 'truncated')


def _has_jpeg_end(data: Buffer, place: int) -> bool:
    """Walks over the coded data and the segments between scans to the end marker."""
    while (found := _JPEG_MARKER.search(data, place)) is not None:
        place = found.start()
        if data[place + 1] == 0xd9:
            return True
        if len(data) < place + 4:
            return False
        place += 2 + struct.unpack_from('>H', data, place + 2)[0]
    return False


def _look_at_png(data: Buffer, checks_sums: bool) -> Picture:
    if len(data) < 33:
        return Picture(False, (0, 0), 'truncated')
    width, height = struct.unpack_from('>II', data, 16)
    place = len(PNG_START)
    while len(data) >= place + 12:
        length, = struct.unpack_from('>I', data, place)
        end = place + 12 + length
        if end > len(data):
            break
        if checks_sums and zlib.crc32(data[place + 4:end - 4]) != struct.unpack_from('>I', data, end - 4)[0]:
            return Picture(False, (height, width), 'damaged')
        if data[place:end] == PNG_END:
            return Picture(False, (height, width), None if min(height, width) else 'damaged')
        place = end
    return Picture(False, (height, width), 'truncated')


def resize_ratio(hw: Tuple[int, int], expected_hw: Tuple[int, int]) -> Optional[Tuple[float, float]]:
    """Returns by what height and width were scaled if a picture was merely resized; None if not.

    Both sides are scaled alike, up to the rounding to whole pixels.

    Args:
        hw: of the file.
        expected_hw: of the picture that the calibration belongs to.
    """
    (height, width), (full_h, full_w) = hw, expected_hw
    is_uniform = abs(height * full_w - width * full_h) <= max(full_h, full_w)
    return (height / full_h, width / full_w) if is_uniform else None


def read_whole(path: Union[str, Path]) -> Tuple[bytes, Picture]:
    """Returns the bytes of a picture's file and what they say.

    Args:
        path: of the file.

    Raises:
        UserError: if it cannot be read or is damaged.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f'the picture {path} cannot be read ({error.strerror})') from error
    picture = look_at(data, checks_sums=True)
    if picture.problem:
        raise UserError(f'the picture {path} is {picture.problem if data else "empty"}')
    return data, picture


def decode(data: bytes, reduce: int = 1, name: str = 'the picture') -> Tuple[np.ndarray, Tuple[float, float]]:
    """Decodes a picture of which `look_at` found no problem.

    Args:
        data: the file.
        reduce: 1, 2, 4 or 8: decode at this part of the size, rounded up.
        name: for messages.

    Returns:
        The picture (H, W, 3) uint8 BGR and how its pixels are scaled in y and x.

    Raises:
        UserError: if its bytes cannot be decoded after all.
    """
    picture = look_at(data)
    if picture.hw[0] * picture.hw[1] > MAX_PIXELS:
        raise UserError(f'{name} is {picture.hw[1]}x{picture.hw[0]} by its header; expected at most '
                        f'{MAX_PIXELS} pixels')
    size_hw = [-(-side // reduce) for side in picture.hw]
    try:
        if picture.is_jpeg:
            image = simplejpeg.decode_jpeg(data, colorspace='BGR', min_height=size_hw[0],
                                           min_width=size_hw[1], min_factor=1, strict=True)
        else:
            image = cv2.imdecode(np.frombuffer(data, np.uint8),
                                 cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except (ValueError, cv2.error) as error:
        raise UserError(f'{name} is damaged: it cannot be decoded ({error})') from error
    if image is None:
        raise UserError(f'{name} is damaged: it cannot be decoded')
    if not picture.is_jpeg and data[PNG_DEPTH_AT] == 16 and image.max() < DARKEST_16_BIT:
        raise UserError(f'{name} has 16 bits a channel, of which the upper ones are empty (brightest '
                        f'{image.max()} of 255); expected 8 bits, or all 16: scale it')
    if picture.is_jpeg or reduce == 1:
        # A JPEG decoder that reduces keeps the scale and lets the last pixel stand for a rest.
        return image, (1 / reduce, 1 / reduce)
    small = cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_AREA)
    return small, (size_hw[0] / picture.hw[0], size_hw[1] / picture.hw[1])


def check_picture_name(path: Path) -> None:
    """Refuses a name that ends in another format than those that are written."""
    if path.suffix not in WRITTEN:
        raise UserError(f'got --out {path}; expected a name that ends in {" or ".join(WRITTEN)}')


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes a picture, BGR where it has colours, in the format that its name says."""
    check_picture_name(path)
    write_whole(path, encode(picture, path.suffix))


def encode(picture: np.ndarray, ending: str, *options: int) -> bytes:
    """Returns the bytes of a picture's file, with OpenCV's options for the format."""
    is_ok, data = cv2.imencode(ending, picture, options)
    if not is_ok:
        raise ValueError(f'OpenCV could not encode a picture of shape {picture.shape} as {ending}')
    return data.tobytes()
