"""The ground-truth database: LiDAR points of annotated objects, kept to be pasted into other scenes.

A folder with `database.json` (what it was built from) and, for each class that has objects, three
arrays in numpy's plain format, which holds numbers only and is read without executing code:

    <class>.boxes.npy   (N, 9) float32, bottom centre, LiDAR frame of the object's keyframe, velocity NaN
                        where unknown
    <class>.ends.npy    (N,) int64, the row of <class>.points.npy behind the object's last point
    <class>.points.npy  (P, 5) float32, as GeminiLoadPoints gives them, in the same frame
    <class>.sums.npy    (N,) uint32, CRC-32 of each object's points

Large arrays are mapped, not read: many loading workers share one copy. `database.json` holds its own
SHA-256 and those of the small arrays, which are verified when the folder is opened; points are verified
when an object is read. It also lists the samples that the objects come from (see `learned_samples`).
"""
import json
import zlib
from pathlib import Path
from typing import Any, Dict, Union

import numpy as np

from ..atomic import SEAL, unsealed, write_json
from ..check_sums import file_sum
from ..errors import UserError
from ..learned_samples import LEARNED, SampleRecord
from ..nuscenes_facts import CLASS_NAMES

FORMAT = 'geminifusion3d-object-database-2'
BOX_COLUMNS, POINT_COLUMNS = 9, 5
METAINFO_NAME, SMALL = 'database.json', ('boxes', 'ends', 'sums')
META_KEYS = ('format', 'dataset', 'version', 'split', 'sweeps_num', 'remove_close_m', 'num_objects',
             'digests')


class ObjectDatabase:
    """Objects by class.

    Args:
        folder: as `gemini3d convert --with-gt-database` writes it.

    Raises:
        UserError: if the folder is missing, damaged or something else.
    """

    def __init__(self, folder: Union[str, Path]) -> None:
        self.folder = Path(folder)
        self.metainfo = read_metainfo(self.folder)
        names = [name for name, count in self.metainfo['num_objects'].items() if count]
        self._boxes = {name: self._array(name, 'boxes') for name in names}
        self._ends = {name: self._array(name, 'ends') for name in names}
        self._sums = {name: self._array(name, 'sums') for name in names}
        self._points = {name: self._array(name, 'points') for name in names}
        for name in names:
            self._check(name)

    def boxes(self, name: str) -> np.ndarray:
        """Returns the boxes (N, 9) of a class; none for a class without objects."""
        return self._boxes.get(name, np.zeros((0, BOX_COLUMNS), np.float32))

    def num_points(self, name: str) -> np.ndarray:
        """Returns the number of points (N,) of each object of a class."""
        return np.diff(self._ends.get(name, np.zeros(0, np.int64)), prepend=0)

    def points(self, name: str, index: int) -> np.ndarray:
        """Returns a copy of one object's points (n, 5)."""
        ends = self._ends[name]
        points = np.array(self._points[name][ends[index - 1] if index else 0:ends[index]])
        if zlib.crc32(points.tobytes()) != self._sums[name][index]:
            raise UserError(f'{array_path(self.folder, name, "points")} is damaged: object {index} is not '
                            f'the one that was written{_remedy(self.folder)}')
        return points

    def _array(self, name: str, kind: str) -> np.ndarray:
        path = array_path(self.folder, name, kind)
        try:
            if kind in SMALL and file_sum(path) != self.metainfo['digests'].get(path.name):
                raise ValueError('its digest is another')
            return np.load(path, mmap_mode='r', allow_pickle=False)
        except (OSError, ValueError, EOFError, SyntaxError) as error:
            raise UserError(f'{path} is missing or damaged ({error}){_remedy(self.folder)}') from error

    def _check(self, name: str) -> None:
        boxes, ends, points = self._boxes[name], self._ends[name], self._points[name]
        count = self.metainfo['num_objects'][name]
        is_sound = (count > 0 and self._sums[name].shape == (count,) and boxes.shape == (count, BOX_COLUMNS)
                    and ends.shape == (count,)
                    and points.shape == (int(ends[-1]), POINT_COLUMNS)
                    and boxes.dtype == points.dtype == np.float32 and ends.dtype == np.int64
                    and (np.diff(ends, prepend=0) > 0).all())
        if not is_sound:
            raise UserError(f'{self.folder} does not fit together: {count} {name} objects, boxes '
                            f'{boxes.shape}, ends {ends.shape}, points {points.shape}{_remedy(self.folder)}')


def array_path(folder: Path, name: str, kind: str) -> Path:
    """Returns where one array of a class lies."""
    return folder / f'{name}.{kind}.npy'


def write_metainfo(folder: Path, content: Dict[str, Any]) -> None:
    """Writes `database.json` last, with the digests of the small arrays and its own."""
    digests = {path.name: file_sum(path) for path in sorted(folder.glob('*.npy'))
               if path.name.rsplit('.', 2)[-2] in SMALL}
    write_json(folder / METAINFO_NAME, {**content, 'digests': digests}, indent=1, sealed=True)


def is_database(folder: Path) -> bool:
    """Says whether a folder is a ground-truth database of this project, sound or not, of any version."""
    try:
        return b'geminifusion3d-object-database' in (folder / METAINFO_NAME).read_bytes()
    except OSError:
        return False


def read_metainfo(folder: Path) -> Dict[str, Any]:
    """Returns what `database.json` holds, verified.

    Args:
        folder: the database.

    Raises:
        UserError: if it is missing, damaged or something else.
    """
    path = folder / METAINFO_NAME
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'no ground-truth database in {folder} ({error}){_remedy(folder)}') from error
    missing = [key for key in META_KEYS if key not in content] if isinstance(content, dict) else ['all']
    if missing or content['format'] != FORMAT:
        raise UserError(f'{path} is of another format than {FORMAT}{_remedy(folder)}')
    try:
        if SEAL not in content:
            raise ValueError(f'it has no {SEAL}')
        content = unsealed(content)
    except ValueError as error:
        raise UserError(f'{path} is damaged: {error}{_remedy(folder)}') from error
    unknown = set(content['num_objects']) - set(CLASS_NAMES)
    if unknown:
        raise UserError(
            f'{path} names the classes {sorted(unknown)}; expected some of nuScenes{_remedy(folder)}')
    return content


def database_samples(folder: Path) -> SampleRecord:
    """Returns which samples the objects were cut from; unknown where an earlier version built the database.
    """
    return SampleRecord.read(read_metainfo(folder).get(LEARNED), f'ground-truth database {folder.name}')


def _remedy(folder: Path) -> str:
    return f'; write it with gemini3d convert --dataroot ROOT --out {folder.parent} --with-gt-database'
