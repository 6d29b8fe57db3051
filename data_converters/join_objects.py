"""Last step of the ground-truth database: the scenes' objects become one set of files a class.

Written into a folder under a temporary name, which then takes the place of the finished one.
"""
import json
import os
import shutil
from pathlib import Path
from typing import Dict, Iterator, NamedTuple, Sequence

import numpy as np
from tqdm import tqdm

from geminifusion3d.classes import CLASS_NAMES
from geminifusion3d.sensors.object_database import BOX_COLUMNS, POINT_COLUMNS, array_path


class Objects(NamedTuple):
    """Objects of one scene, sorted by label.

    Attributes:
        boxes: (N, 9) float32, bottom centre, LiDAR frame of their keyframe.
        labels: (N,) int64.
        num_points: (N,) int64.
        points: (P, 5) float32, object after object.
    """

    boxes: np.ndarray
    labels: np.ndarray
    num_points: np.ndarray
    points: np.ndarray


def join_objects(parts: Sequence[Path], folder: Path, metainfo: Dict[str, object]) -> None:
    """Writes the database.

    Args:
        parts: one file of Objects a scene, in order.
        folder: the finished database; an older one is replaced.
        metainfo: goes into `database.json`, with the numbers of objects.
    """
    unfinished = folder.with_name(f'.{folder.name}.part')
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    writer = _Writer(unfinished, parts)
    for objects in _read(tqdm(parts, desc='joining the ground-truth database')):
        writer.append(objects)
    writer.close()
    counts = {name: int(count) for name, count in zip(CLASS_NAMES, writer.num_objects)}
    with (unfinished / 'database.json').open('w') as file:
        file.write(json.dumps({**metainfo, 'num_objects': counts}, indent=1, allow_nan=False) + '\n')
    for path in unfinished.iterdir():
        _sync(path)
    _replace(unfinished, folder)


class _Writer:
    """Fills arrays whose sizes are known beforehand, one scene after the other."""

    def __init__(self, folder: Path, parts: Sequence[Path]) -> None:
        labels, num_points = (np.concatenate(arrays) for arrays in zip(*(
            (objects.labels, objects.num_points) for objects in _read(parts, 'labels', 'num_points'))))
        self.num_objects = np.bincount(labels, minlength=len(CLASS_NAMES))
        self._first_object = np.zeros(len(CLASS_NAMES), np.int64)
        self._first_point = np.zeros(len(CLASS_NAMES), np.int64)
        self._boxes, self._points, self._ends = {}, {}, {}
        for label in np.flatnonzero(self.num_objects).tolist():
            name, sizes = CLASS_NAMES[label], num_points[labels == label]
            self._ends[label] = _new_array(array_path(folder, name, 'ends'), np.int64, (len(sizes),))
            self._ends[label][:] = sizes.cumsum()
            self._boxes[label] = _new_array(array_path(folder, name, 'boxes'), np.float32,
                                            (len(sizes), BOX_COLUMNS))
            self._points[label] = _new_array(array_path(folder, name, 'points'), np.float32,
                                             (int(sizes.sum()), POINT_COLUMNS))

    def append(self, objects: Objects) -> None:
        """Adds one scene."""
        point_labels = objects.labels.repeat(objects.num_points)
        for label in np.unique(objects.labels).tolist():
            boxes, points = objects.boxes[objects.labels == label], objects.points[point_labels == label]
            first_object, first_point = self._first_object[label], self._first_point[label]
            self._boxes[label][first_object:first_object + len(boxes)] = boxes
            self._points[label][first_point:first_point + len(points)] = points
            self._first_object[label] += len(boxes)
            self._first_point[label] += len(points)

    def close(self) -> None:
        """Hands everything to the file system."""
        for array in (*self._boxes.values(), *self._points.values(), *self._ends.values()):
            array.flush()


def _new_array(path: Path, dtype: type, shape: tuple) -> np.memmap:
    return np.lib.format.open_memmap(path, mode='w+', dtype=dtype, shape=shape)


def _read(parts: Sequence[Path], *names: str) -> Iterator[Objects]:
    """Yields each scene's objects; of the named arrays only, where names are given."""
    for part in parts:
        with np.load(part, allow_pickle=False) as arrays:
            yield Objects(**{name: arrays[name] if not names or name in names else None
                             for name in Objects._fields})


def _sync(path: Path) -> None:
    with path.open('rb') as file:
        os.fsync(file.fileno())


def _replace(unfinished: Path, folder: Path) -> None:
    """Puts the new folder in the old one's place; a kill in between leaves no database, never a half."""
    old = folder.with_name(f'.{folder.name}.old')
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    unfinished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
