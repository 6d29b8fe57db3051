"""The ground-truth database: info file and sweeps -> the points of every annotated object, by class.

Scenes are cut out in parallel, each into a file that a repeated run finds; then all are joined in the
order of the info file, so that the bytes do not depend on the number of workers. Points are read by
the transform that reads them in training. Differences from mmdet3d's `create_gt_database.py`: boxes
without LiDAR points and void objects are left out, boxes have one origin throughout, all objects of a
class share one file, nothing is pickled. The joined files are written into a folder under a temporary name,
which then takes the place of the finished one.
"""
import hashlib
import io
import json
import re
import shutil
import zlib
from pathlib import Path
from typing import BinaryIO, Dict, List, NamedTuple, Sequence, Tuple

import numpy as np
from tqdm import tqdm

from ..atomic import atomic_write, locked_folder, sync_to_disk
from ..errors import UserError
from ..geometry.boxes import points_in_boxes
from ..learned_samples import LEARNED
from ..nuscenes_facts import CLASS_NAMES
from ..sensors import GeminiLoadPoints, GeminiNuScenesDataset
from ..sensors.object_database import (BOX_COLUMNS, FORMAT, POINT_COLUMNS, ObjectDatabase, array_path,
                                       is_database, read_metainfo, write_metainfo)
from .parallel import map_with_progress


class _Source(NamedTuple):
    """What every worker reads from and where it writes to."""

    dataset: GeminiNuScenesDataset
    load_points: GeminiLoadPoints
    parts_dir: Path


def build_gt_database(info_file: Path, root: Path, out_dir: Path, *, sweeps_num: int = 9,
                      workers: int = 1) -> Path:
    """Writes `gt_database_<split>`, unless it is there and made from the same info file and sweeps.

    Args:
        info_file: of the split to learn from.
        root: the dataset's root.
        out_dir: where the database goes.
        sweeps_num: how many sweeps before each keyframe; as many as the recipe reads.
        workers: number of processes.

    Returns:
        The database's folder.

    Raises:
        UserError: if the info file or a sweep cannot be used, or the disk is full; finished scenes
            are kept for the next run.
    """
    dataset = GeminiNuScenesDataset(
        data_root=str(root), ann_file=str(info_file.resolve()), pipeline=[], test_mode=True,
        load_eval_anns=False, modality=dict(use_camera=False, use_lidar=True))
    load_points = GeminiLoadPoints(sweeps_num=sweeps_num)
    metainfo = _metainfo(dataset, load_points, info_file)
    folder = out_dir / f'gt_database_{metainfo["split"]}'
    if _is_up_to_date(folder, metainfo):
        _complete(folder, metainfo)
        return folder
    if folder.exists() and not is_database(folder):
        raise UserError(f'{folder} was not written by this project; move it away or give another --out')
    parts_dir = out_dir / f'.{folder.name}.parts'
    with locked_folder(out_dir):
        try:
            parts = _cut_scenes(_Source(dataset, load_points, parts_dir), metainfo['source'], workers)
            join_objects(parts, folder, metainfo)
        except OSError as error:
            raise UserError(f'cannot write the ground-truth database to {folder} ({error.strerror}); '
                            'make room or give another --out; the same command goes on'
                            ) from error
        shutil.rmtree(parts_dir)
    return folder


def _metainfo(dataset: GeminiNuScenesDataset, load_points: GeminiLoadPoints, info_file: Path
              ) -> Dict[str, object]:
    """What the database is made from; `source` is a digest of it."""
    known = dataset.records.metainfo
    if not re.fullmatch(r'[\w.-]+', str(known['split'])):
        raise UserError(f'{info_file} names the split {known["split"]!r}; expected letters, '
                        'digits, dots and dashes; convert the dataset again')
    settings = dict(format=FORMAT, **{key: known[key] for key in ('dataset', 'version', 'split')},
                    sweeps_num=load_points.sweeps_num, remove_close_m=load_points.remove_close_m)
    digest = hashlib.sha256(info_file.read_bytes() + json.dumps(settings).encode()).hexdigest()
    return {**settings, 'source': digest, LEARNED: dataset.sample_record().to_plain()}


def _is_up_to_date(folder: Path, metainfo: Dict[str, object]) -> bool:
    try:
        return read_metainfo(folder)['source'] == metainfo['source']
    except UserError:
        return False


def _complete(folder: Path, metainfo: Dict[str, object]) -> None:
    """Adds which samples the objects come from, where an earlier version has built the database."""
    known = ObjectDatabase(folder).metainfo
    if LEARNED not in known:
        write_metainfo(folder, {**known, LEARNED: metainfo[LEARNED]})


def _cut_scenes(source: _Source, digest: str, workers: int) -> List[Path]:
    """Cuts out every scene that no earlier run finished; returns one file per scene, in order."""
    scenes: Dict[str, List[int]] = {}
    for index in range(len(source.dataset)):
        scenes.setdefault(source.dataset.get_data_info(index)['scene_token'], []).append(index)
    # Numbers, not tokens: those are text from tables, which may hold anything.
    parts = [source.parts_dir / f'{digest[:16]}-{number:06d}.objects' for number in range(len(scenes))]
    source.parts_dir.mkdir(exist_ok=True)
    for leftover in set(source.parts_dir.iterdir()) - set(parts):
        leftover.unlink()
    tasks = [(indices, part) for indices, part in zip(scenes.values(), parts) if not is_whole_part(part)]
    for _ in map_with_progress(_cut_scene, tasks, shared=source, workers=workers,
                               description='scenes of the ground-truth database'):
        pass
    return parts


def _cut_scene(source: _Source, task: Tuple[Sequence[int], Path]) -> None:
    """Worker: one scene's objects, by class, then in the order of keyframes and annotations."""
    indices, part = task
    cut = [_cut_keyframe(source, index) for index in indices]
    boxes, labels = (np.concatenate(arrays) for arrays in list(zip(*cut))[:2])
    clouds = [cloud for _, _, clouds in cut for cloud in clouds]
    by_class = np.argsort(labels, kind='stable')
    empty = np.zeros((0, POINT_COLUMNS), np.float32)
    objects = Objects(
        boxes=boxes[by_class], labels=labels[by_class],
        num_points=np.array([len(clouds[index]) for index in by_class], dtype=np.int64),
        points=np.concatenate([empty, *(clouds[index] for index in by_class)]))
    with atomic_write(part) as unfinished, unfinished.open('wb') as file:
        write_part(file, objects)


def _cut_keyframe(source: _Source, index: int) -> Tuple[np.ndarray, np.ndarray, List[np.ndarray]]:
    """Returns boxes (N, 9), labels (N,) and the points of each object that the LiDAR saw."""
    info = source.dataset.get_data_info(index)
    seen = [instance for instance in info['instances'] if instance['num_lidar_pts'] > 0]
    annotations = source.dataset.parse_ann_info({**info, 'instances': seen})
    boxes, labels = annotations['gt_bboxes_3d'].numpy(), annotations['gt_labels_3d']
    points = source.load_points.transform(info)['points'].tensor.numpy()
    clouds = [points[inside] for inside in points_in_boxes(points[:, :3], boxes)]
    is_filled = np.array([len(cloud) > 0 for cloud in clouds], dtype=bool)
    return boxes[is_filled], labels[is_filled], [cloud for cloud in clouds if len(cloud)]


def training_split(info_files: Dict[str, Path]) -> str:
    """Returns the split to learn from among those that were converted; UserError if it is not clear which."""
    found = [split for split in ('train', 'mini_train') if split in info_files]
    found = found or (list(info_files) if len(info_files) == 1 else [])
    if len(found) != 1:
        raise UserError(f'converted {", ".join(info_files)}: which split is the ground-truth database '
                        'to be made of? name it with --with-gt-database SPLIT')
    return found[0]


def count_objects(folder: Path) -> str:
    """Returns the numbers of objects as one line for people."""
    counts = read_metainfo(folder)['num_objects']
    return ', '.join(f'{counts[name]} {name}' for name in CLASS_NAMES)


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
