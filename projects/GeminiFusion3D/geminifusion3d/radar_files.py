"""Radar returns as nuScenes' PCD files (a text header, then packed rows of 18 fields), or as float32 rows.

The same rows as nuscenes-devkit 1.2.0 `RadarPointCloud.from_file`, which reads number after number in
Python; the delta: one read for all rows, and a damaged file is named in a sentence.
"""
import os
from typing import Any, Collection, Dict, List, Optional, Sequence

import numpy as np

from .errors import UserError
from .point_files import FARTHEST_M, check_same_file, read_point_file, without_absurd

# x, y, z, rcs in metres and dBsm, velocities in metres a second, all in the radar's frame; vx_comp, vy_comp:
# the radial velocity over ground, that of the car taken out.
RADAR_FIELDS = ('x', 'y', 'z', 'dyn_prop', 'id', 'rcs', 'vx', 'vy', 'vx_comp', 'vy_comp', 'is_quality_valid',
                'ambig_state', 'x_rms', 'y_rms', 'invalid_state', 'pdh0', 'vx_rms', 'vy_rms')
RADAR_SUFFIX = '.pcd'
# What plain rows may hold, by its name in nuScenes' files: speeds along the line of sight over ground.
_PLAIN_FIELDS = {'x': 'x', 'y': 'y', 'z': 'z', 'rcs': 'rcs', 'vx': 'vx_comp', 'vy': 'vy_comp'}
# The devkit's: returns that are valid and whose velocity is unambiguous, moving or not.
DEFAULT_STATES: Dict[str, Collection[int]] = {
    'invalid_state': (0,), 'dyn_prop': (0, 1, 2, 3, 4, 5, 6), 'ambig_state': (3,)}
# What is loaded of them: metres, dBsm, metres a second over ground along the line of sight, seconds before
# the keyframe.
RADAR_COLUMNS = ('x', 'y', 'z', 'rcs', 'vx', 'vy', 'time_lag')
_TYPES = {('F', '4'): '<f4', ('F', '8'): '<f8', ('I', '1'): 'i1', ('I', '2'): '<i2', ('I', '4'): '<i4',
          ('U', '1'): 'u1', ('U', '2'): '<u2', ('U', '4'): '<u4'}
# What no radar of a car measures: metres, dBsm, metres a second. One such number spreads through the network.
_LARGEST = np.array([{'x': FARTHEST_M, 'y': FARTHEST_M, 'z': FARTHEST_M, 'rcs': 200.0, 'vx': 200.0,
                      'vy': 200.0, 'vx_comp': 200.0, 'vy_comp': 200.0}.get(name, np.inf)
                     for name in RADAR_FIELDS], np.float32)
_LONGEST_HEADER = 4096
_END_OF_HEADER = b'DATA binary\n'


def radar_file_problem(path: str) -> Optional[str]:
    """Says what is wrong with a radar file: missing, empty, damaged; or None."""
    try:
        if os.path.getsize(path) == 0:
            return 'empty'
        _rows(path)
    except (FileNotFoundError, NotADirectoryError):
        return 'missing'
    except OSError as error:
        return f'unreadable ({error.strerror})'
    except UserError:
        return 'damaged'
    return None


def read_radar_file(path: str, states: Dict[str, Collection[int]] = DEFAULT_STATES,
                    crc32: Optional[int] = None) -> np.ndarray:
    """Returns the returns (N, 18) of a file, float32, in the order of RADAR_FIELDS, in the radar's frame.

    Rows that hold NaN, infinity or what no radar measures are dropped.

    Args:
        path: the file.
        states: by field, which values are kept; DEFAULT_STATES are the devkit's, none keep all.
        crc32: of the file, as the conversion read it; None where nobody knows.

    Raises:
        UserError: if the file cannot be read, is another one or is no radar file of nuScenes.
    """
    try:
        rows = _rows(path, crc32)
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror})') from error
    columns = np.column_stack([rows[name].astype(np.float32) for name in RADAR_FIELDS])
    # A scan without returns is one row that is not a number.
    if len(columns) and np.isnan(columns[0]).any():
        return columns[:0]
    with np.errstate(invalid='ignore'):
        # NaN is neither below nor above.
        is_kept = np.isfinite(columns).all(axis=1) & (np.abs(columns) <= _LARGEST).all(axis=1)
    _check_units(columns, is_kept, path)
    for name, kept in states.items():
        is_kept &= np.isin(columns[:, RADAR_FIELDS.index(name)], list(kept))
    return columns[is_kept]


def read_radar_rows(source: Any, columns: Sequence[str], crc32: Optional[int] = None) -> np.ndarray:
    """Returns the returns (N, 18) of plain rows in the order of RADAR_FIELDS; what is not measured is 0.

    Args:
        source: path of a `.bin` or `.npy` file, or the rows themselves, in the radar's frame.
        columns: what the columns are: x, y, z, and rcs, vx, vy if there.
        crc32: as for read_radar_file.

    Raises:
        UserError: if the file cannot be read or has another number of columns.
    """
    rows, _ = without_absurd(read_point_file(source, columns, crc32), columns)
    fields = np.zeros((len(rows), len(RADAR_FIELDS)), np.float32)
    for name, field in _PLAIN_FIELDS.items():
        if name in columns:
            fields[:, RADAR_FIELDS.index(field)] = rows[:, list(columns).index(name)]
    is_kept = (np.abs(fields) <= _LARGEST).all(axis=1)
    _check_units(fields, is_kept, source if isinstance(source, str) else 'the returns')
    return fields[is_kept]


def _check_units(fields: np.ndarray, is_kept: np.ndarray, name: str) -> None:
    """Raises UserError if most returns that are finite are such as no radar measures."""
    is_finite = np.isfinite(fields).all(axis=1)
    if is_kept.sum() < is_finite.sum() / 2:
        raise UserError(f'{name} holds {is_finite.sum() - is_kept.sum()} of {is_finite.sum()} returns that '
                        'no radar measures; expected metres, metres a second, and dBsm, which are logarithms')


def _rows(path: str, crc32: Optional[int] = None) -> np.ndarray:
    """Reads header and rows.

    Raises:
        OSError: if the file cannot be opened.
        UserError: if it is no radar file, or another one.
    """
    with open(path, 'rb') as file:
        content = file.read()
    check_same_file(path, content, crc32)
    end = content.find(_END_OF_HEADER, 0, _LONGEST_HEADER)
    if end < 0:
        raise UserError(f'{path} is no radar file; expected a PCD header that ends with "DATA binary"')
    header: Dict[str, List[str]] = {}
    for line in content[:end].decode('ascii', errors='replace').splitlines():
        name, *values = line.split() or ['']
        header[name] = values
    fields, count = tuple(header.get('FIELDS', ())), header.get('WIDTH', [''])[0]
    kinds = [_TYPES.get(kind, '') for kind in zip(header.get('TYPE', ()), header.get('SIZE', ()))]
    if fields != RADAR_FIELDS or len(kinds) != len(fields) or not all(kinds) or not count.isdigit():
        raise UserError(f'{path} has {len(fields)} fields ({" ".join(fields)}) and {count or "no"} rows; '
                        f'expected the {len(RADAR_FIELDS)} of a nuScenes radar, each with its type and size')
    row = np.dtype(list(zip(fields, kinds)))
    body = content[end + len(_END_OF_HEADER):]
    if len(body) < int(count) * row.itemsize:
        raise UserError(f'{path} is cut: it holds {len(body)} bytes of returns, expected '
                        f'{int(count) * row.itemsize} for {count} returns')
    return np.frombuffer(body, row, int(count))
