"""Last step of the ground-truth database: the scenes' objects become one set of files per class.

Written into a folder under a temporary name, which then takes the place of the finished one.
"""
import hashlib
import io
import shutil
import zlib
from pathlib import Path
from typing import BinaryIO, Dict, NamedTuple, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from ..atomic import sync_to_disk
from ..nuscenes_facts import CLASS_NAMES
from ..sensors.object_database import BOX_COLUMNS, POINT_COLUMNS, array_path, write_metainfo

DIGEST_BYTES = 32


class Objects(NamedTuple):
    """Objects of one scene, sorted by label.

    Attributes:
        labels: (N,) int64.
        num_points: (N,) int64.
        boxes: (N, 9) float32, bottom centre, LiDAR frame of their keyframe.
        points: (P, 5) float32, object after object.
    """

    labels: np.ndarray
    num_points: np.ndarray
    boxes: np.ndarray
    points: np.ndarray


def write_part(file: BinaryIO, objects: Objects) -> None:
    """Writes one scene's objects: four arrays in numpy's plain format, one behind the other, and a SHA-256.
    """
    memory = io.BytesIO()
    for array in objects:
        np.save(memory, array, allow_pickle=False)
    file.write(memory.getbuffer())
    file.write(hashlib.sha256(memory.getbuffer()).digest())


def is_whole_part(path: Path) -> bool:
    """Says whether a file is there and as write_part wrote it."""
    data = path.read_bytes() if path.exists() else b''
    return hashlib.sha256(data[:-DIGEST_BYTES]).digest() == data[-DIGEST_BYTES:]


def read_part(path: Path) -> Objects:
    """Reads what write_part wrote."""
    with path.open('rb') as file:
        return Objects(*(np.load(file, allow_pickle=False) for _ in Objects._fields))


def join_objects(parts: Sequence[Path], folder: Path, metainfo: Dict[str, object]) -> None:
    """Writes the database.

    Args:
        parts: one file of Objects per scene, in order.
        folder: the finished database; an older one is replaced.
        metainfo: goes into `database.json`, with the numbers of objects.
    """
    unfinished = folder.with_name(f'.{folder.name}.part')
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        writer = _Writer(unfinished, parts)
        for part in tqdm(parts, desc='joining the ground-truth database'):
            writer.append(read_part(part))
        writer.close()
        counts = {name: int(count) for name, count in zip(CLASS_NAMES, writer.num_objects)}
        write_metainfo(unfinished, {**metainfo, 'num_objects': counts})
        for path in unfinished.iterdir():
            sync_to_disk(path)
        _replace(unfinished, folder)
    finally:
        # On a full disk half a database would keep it full.
        shutil.rmtree(unfinished, ignore_errors=True)


class _Writer:
    """Fills files whose sizes are known beforehand, one scene after the other."""

    def __init__(self, folder: Path, parts: Sequence[Path]) -> None:
        labels, num_points = (np.concatenate(arrays) for arrays in zip(*map(_read_sizes, parts)))
        self.num_objects = np.bincount(labels, minlength=len(CLASS_NAMES))
        self._boxes, self._points, self._sums = {}, {}, {}
        for label in np.flatnonzero(self.num_objects).tolist():
            name, sizes = CLASS_NAMES[label], num_points[labels == label]
            with _new_array(array_path(folder, name, 'ends'), np.int64, sizes.shape) as ends:
                sizes.cumsum().tofile(ends)
            self._boxes[label] = _new_array(array_path(folder, name, 'boxes'), np.float32,
                                            (len(sizes), BOX_COLUMNS))
            self._points[label] = _new_array(array_path(folder, name, 'points'), np.float32,
                                             (int(sizes.sum()), POINT_COLUMNS))
            self._sums[label] = _new_array(array_path(folder, name, 'sums'), np.uint32, (len(sizes),))

    def append(self, objects: Objects) -> None:
        """Adds one scene."""
        last_point = objects.num_points.cumsum()
        labels, firsts = np.unique(objects.labels, return_index=True)
        for label, first, end in zip(labels.tolist(), firsts, [*firsts[1:], len(objects.labels)]):
            first_point = last_point[first] - objects.num_points[first]
            objects.boxes[first:end].tofile(self._boxes[label])
            objects.points[first_point:last_point[end - 1]].tofile(self._points[label])
            starts = last_point[first:end] - objects.num_points[first:end]
            np.array([zlib.crc32(objects.points[start:stop].tobytes())
                      for start, stop in zip(starts, last_point[first:end])],
                     np.uint32).tofile(self._sums[label])

    def close(self) -> None:
        """Hands everything to the file system."""
        for file in (*self._boxes.values(), *self._points.values(), *self._sums.values()):
            file.close()


def _read_sizes(path: Path) -> Tuple[np.ndarray, np.ndarray]:
    """Returns the labels and the numbers of points, which stand before the rest."""
    with path.open('rb') as file:
        return np.load(file, allow_pickle=False), np.load(file, allow_pickle=False)


def _new_array(path: Path, dtype: type, shape: Tuple[int, ...]) -> BinaryIO:
    """Opens a file in numpy's plain format behind its header; the values are to follow."""
    file = path.open('wb')
    np.lib.format.write_array_header_1_0(file, dict(
        descr=np.lib.format.dtype_to_descr(np.dtype(dtype)), fortran_order=False, shape=shape))
    file.flush()
    return file


def _replace(unfinished: Path, folder: Path) -> None:
    """Puts the new folder in the old one's place; a kill in between leaves no database, never a half."""
    old = folder.with_name(f'.{folder.name}.old')
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
