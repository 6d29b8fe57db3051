"""LiDAR points as files: raw float32 rows (`.bin`) or numpy's plain format (`.npy`), columns by name."""
import io
import os
import zlib
from typing import Any, Optional, Sequence, Tuple, Union

import numpy as np

from .errors import UserError
from .nuscenes_facts import LIDAR_COLUMNS

# A LiDAR sees some hundred metres; what is farther, or stronger than 16 bits, no sensor measured.
FARTHEST_M = 1000.0
LARGEST = {'x': FARTHEST_M, 'y': FARTHEST_M, 'z': FARTHEST_M, 'intensity': 65535.0}
OTHER_LARGEST = 1e12
PLACE = ('x', 'y', 'z')
# Of all rows: fewer are damage, more are other columns.
SUSPICIOUS_SHARE = 0.01
# Their bytes may pass for rows of numbers.
OTHER_FORMATS = ('.asc', '.csv', '.h5', '.las', '.laz', '.npz', '.pcd', '.ply', '.pts', '.txt', '.xyz')
# Fewer say nothing about a sensor.
MANY_ROWS = 100
# Of points with x or y, but not both, exactly 0; and what is less far than any point of a car's LiDAR.
LARGEST_ON_AXES, SMALLEST_M = 0.2, 1e-6
STRONGEST = 256
OTHER_FILE = ('is not the file that was converted (another check sum): take it from its archive again, or '
              'convert again')


def point_file_problem(path: str, columns: Sequence[str] = LIDAR_COLUMNS) -> 'str | None':
    """Says what is wrong with a raw file by its size alone: missing, empty, truncated; or None."""
    try:
        size = os.stat(path).st_size
    except (FileNotFoundError, NotADirectoryError):
        return 'missing'
    except OSError as error:
        return f'unreadable ({error.strerror})'
    if size == 0:
        return 'empty'
    return 'truncated' if not path.endswith('.npy') and size % (4 * len(columns)) else None


def read_point_file(source: Any, columns: Sequence[str] = LIDAR_COLUMNS, crc32: Optional[int] = None
                    ) -> np.ndarray:
    """Returns the rows (N, number of columns) of a file, float32.

    Args:
        source: path of a `.bin` or `.npy` file, or the rows themselves.
        columns: what the columns are.
        crc32: of the file, as the conversion read it; None where nobody knows.

    Raises:
        UserError: if the file cannot be read, is another one or has another number of columns.
    """
    if isinstance(source, np.ndarray):
        rows = source
    else:
        if source.lower().endswith(OTHER_FORMATS):
            raise UserError(f'{source} is no file of rows; expected float32 rows (.bin) or .npy: read it by '
                            'a tool of its format, and save its rows by numpy.save or hand them over')
        try:
            content = np.fromfile(source, np.uint8)
        except OSError as error:
            raise UserError(f'{source} cannot be read ({error.strerror})') from error
        check_same_file(source, content, crc32)
        rows = _npy_rows(content, source) if source.endswith('.npy') else _raw_rows(content, source, columns)
    if rows.ndim != 2 or rows.shape[1] != len(columns) or rows.dtype.kind not in 'fiu':
        name = 'the points' if isinstance(source, np.ndarray) else source
        raise UserError(f'{name} hold numbers ({rows.dtype}) of shape {rows.shape}; expected '
                        f'(N, {len(columns)}), for the columns {", ".join(columns)}')
    return rows.astype(np.float32, copy=False)


def check_same_file(name: str, content: Union[bytes, np.ndarray], crc32: Optional[int]) -> None:
    """Raises UserError if a file's bytes have another check sum than at the conversion, if that is known."""
    if crc32 is not None and zlib.crc32(content) != crc32:
        raise UserError(f'{name} {OTHER_FILE}')


def _npy_rows(content: np.ndarray, source: str) -> np.ndarray:
    try:
        return np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise UserError(f'{source} is damaged ({error})') from error


def _raw_rows(content: np.ndarray, source: str, columns: Sequence[str]) -> np.ndarray:
    if len(content) % (4 * len(columns)):
        raise UserError(f'{source} holds {len(content) / 4:g} numbers; expected a multiple of '
                        f'{len(columns)}, for the columns {", ".join(columns)}')
    return content.view('<f4').reshape(-1, len(columns))


def without_absurd(rows: np.ndarray, columns: Sequence[str] = LIDAR_COLUMNS) -> Tuple[np.ndarray, int]:
    """Drops rows that hold NaN, infinity, or what no LiDAR measures, in any column.

    One such number spreads through the whole network.

    Args:
        rows: (N, number of columns).
        columns: what the columns are.

    Returns:
        The sound rows and the number of dropped ones.
    """
    limits = np.array([LARGEST.get(name, OTHER_LARGEST) for name in columns], np.float32)
    # NaN is neither below nor above.
    if len(rows) == 0 or ((rows.min(axis=0) >= -limits) & (rows.max(axis=0) <= limits)).all():
        return rows, 0
    is_sound = ((rows >= -limits) & (rows <= limits)).all(axis=1)
    return rows[is_sound], int(len(rows) - is_sound.sum())


def other_columns(rows: np.ndarray, columns: Sequence[str], num_dropped: int = 0) -> str:
    """Says why a file cannot have these columns of float32; '' where it can.

    Args:
        rows: (N, number of columns) without absurd ones.
        columns: what the columns are.
        num_dropped: how many rows were absurd, though finite.
    """
    if num_dropped > len(rows):
        return (f'most of its points are farther than {FARTHEST_M:.0f} m or too strong, as in millimetres or '
                'with bytes the other way round')
    if 'intensity' in columns and len(rows) and (
            rows[:, list(columns).index('intensity')] < 0).mean() > SUSPICIOUS_SHARE:
        return 'intensities fall below 0'
    if len(rows) < MANY_ROWS:
        return ''
    x_m, y_m = (rows[:, list(columns).index(axis)] for axis in 'xy')
    if ((x_m == 0) != (y_m == 0)).mean() > LARGEST_ON_AXES:
        return 'x or y is exactly 0 in most rows, as in numbers of 64 bits that are read as 32'
    if max(np.abs(x_m).max(), np.abs(y_m).max()) < SMALLEST_M:
        return 'all places are all but 0, as with bytes the other way round'
    return ''


def odd_intensities(rows: np.ndarray, columns: Sequence[str]) -> str:
    """Says which other scale than 0 to 255 the intensities of a cloud seem to have; '' for none.

    Args:
        rows: (N, number of columns) without absurd ones.
        columns: what the columns are.
    """
    if 'intensity' not in columns or len(rows) < MANY_ROWS:
        return ''
    values = rows[:, list(columns).index('intensity')]
    if 0 < values.max() <= 1 and (values % 1 > 0).any():
        return 'from 0 to 1'
    return f'up to {values.max():.0f}' if values.max() > STRONGEST else ''


def in_nuscenes_columns(rows: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """Returns (N, 5) x, y, z, intensity, ring; what a sensor does not measure is 0."""
    if tuple(columns) == LIDAR_COLUMNS:
        return rows
    chosen = np.zeros((len(rows), len(LIDAR_COLUMNS)), np.float32)
    for place, name in enumerate(LIDAR_COLUMNS):
        if name in columns:
            chosen[:, place] = rows[:, list(columns).index(name)]
    return chosen
