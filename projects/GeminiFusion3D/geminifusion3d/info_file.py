"""The info file between conversion and training: one record per keyframe, read one at a time.

A file of this project is a plain pickle of `{metainfo, data_list}` in which every record is a pickle of its
own, so that `pickle.load` of anybody reads it whole and a training maps it into memory and reads the
records that it needs: many processes share one copy. Behind the pickle stand the places of the records and
a SHA-256 of everything, which is verified when the file is opened.

Files of earlier versions (`nuscenes_infos_<split>.pkl`, no digest) and those that mmdet3d's
`create_data.py` writes (info format v2, same name) are read too, in one piece. No reading runs code.
"""
import hashlib
import mmap
import pickle
import struct
from pathlib import Path
from typing import Any, BinaryIO, Dict, Iterable, Iterator, List, Optional, Union

import numpy as np

from .errors import UserError
from .nuscenes_facts import CLASS_NAMES, IMAGE_HW
from .paths import checked_relative_path
from .safe_pickle import REMEDY, load_plain_pickle, loads_data

Info = Dict[str, Any]
PREFIX, OLD_PREFIX = 'geminifusion3d_infos_', 'nuscenes_infos_'
KITTI_PREFIX = 'geminifusion3d_kitti_'
INFO_VERSION = '2.0'
META_KEYS = ('categories', 'dataset', 'version')
# Protocol 3 numbers what it remembers, so that a record's bytes mean the same wherever they stand.
_PROTOCOL, _START, _END = 3, b'\x80\x03', b'.'
_MAGIC = b'GeminiInfoFile-2'
_TAIL, _COUNT = struct.Struct(f'<32sQ{len(_MAGIC)}s'), struct.Struct('<Q')
# A gap between two keyframes beyond which mmdet3d's records, which name no scene, begin a new one.
LONGEST_STEP_S = 2.0
_SPLIT_BY_VERSION = {'mini': {'train': 'mini_train', 'val': 'mini_val'}}


def info_file_name(split: str) -> str:
    """Returns the name of a split's info file."""
    return f'{PREFIX}{split}.pkl'


def write_info_file(file: BinaryIO, metainfo: Info, records: Iterable[Info]) -> None:
    """Writes an info file.

    Args:
        file: where to write.
        metainfo: `categories`, `dataset`, `version`, `split`, and `max_sweeps`, `radar_sweeps` where
            they are known; `info_version` is added.
        records: plain data, in order.
    """
    digest, place, places = hashlib.sha256(), 0, []

    def write(data: bytes) -> None:
        nonlocal place
        digest.update(data)
        file.write(data)
        place += len(data)

    write(_START + pickle.EMPTY_DICT + pickle.MARK + _body('metainfo')
          + _body({**metainfo, 'info_version': INFO_VERSION}) + _body('data_list') + pickle.EMPTY_LIST
          + pickle.MARK)
    for record in records:
        places.append(place)
        write(_body(record))
    places.append(place)
    write(pickle.APPENDS + pickle.SETITEMS + _END)
    write(np.array(places, '<u8').tobytes())
    digest.update(_COUNT.pack(len(places) - 1))
    file.write(_TAIL.pack(digest.digest(), len(places) - 1, _MAGIC))


def _body(value: Any) -> bytes:
    return pickle.dumps(value, _PROTOCOL)[len(_START):-len(_END)]


def is_own_info_file(path: Path) -> bool:
    """Says whether this project wrote the file, in this version or an earlier one."""
    try:
        return open_info_file(path).is_own
    except UserError:
        return path.read_bytes().endswith(_MAGIC)


def carries_digest(path: Path) -> bool:
    """Says whether a file ends as `write_info_file` ends one; if so, its digest is verified.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read, or is damaged.
    """
    return _open_mapped(path) is not None


class InfoRecords:
    """The records of one info file.

    Args:
        path: the file that was read.
        metainfo: of the whole file.
        places: (N + 1,) where the records begin and end.
        packed: the records themselves, where they are not read from the file.
        is_own: whether this project wrote it, and not mmdet3d.

    Attributes:
        path: the file that was read.
        metainfo: `dataset`, `version`, `split`, `categories`.
        is_own: whether this project wrote it, and not mmdet3d.
    """

    def __init__(self, path: Path, metainfo: Info, places: np.ndarray, packed: Optional[bytes] = None,
                 is_own: bool = True) -> None:
        self.path, self.metainfo, self.is_own = path, metainfo, is_own
        self._places, self._packed = places, packed
        self._map: Any = packed

    def __len__(self) -> int:
        return len(self._places) - 1

    def __getitem__(self, index: int) -> Info:
        """Reads one record; whoever gets it may change it."""
        if not 0 <= index < len(self):
            raise IndexError(f'{self.path} holds {len(self)} records, got {index}')
        if self._map is None:
            with self.path.open('rb') as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        body = self._map[self._places[index]:self._places[index + 1]]
        return loads_data(_START + body + _END, name=f'record {index} of {self.path}')

    def __iter__(self) -> Iterator[Info]:
        return (self[index] for index in range(len(self)))

    def __getstate__(self) -> Info:
        return {**self.__dict__, '_map': self._packed}


def existing_info_file(path: Union[str, Path]) -> Path:
    """Returns the file, or, where it is absent, that of the same split under the other prefix.

    Files of earlier versions and of mmdet3d begin with `nuscenes_infos_`.
    """
    path = Path(path)
    if not path.exists():
        for own, other in ((PREFIX, OLD_PREFIX), (OLD_PREFIX, PREFIX)):
            candidate = path.with_name(path.name.replace(own, other, 1))
            if path.name.startswith(own) and candidate.exists():
                return candidate
    return path


def open_info_file(path: Union[str, Path]) -> InfoRecords:
    """Opens an info file of this project or of mmdet3d (v2).

    Args:
        path: the file; where `geminifusion3d_infos_X.pkl` is absent, `nuscenes_infos_X.pkl` is taken.

    Raises:
        UserError: if the file is missing, damaged, or of another layout.
    """
    path = existing_info_file(path)
    mapped = _open_mapped(path)
    if mapped is not None:
        return mapped
    content = load_plain_pickle(path)
    metainfo = content.get('metainfo') if isinstance(content, dict) else None
    records = content.get('data_list') if isinstance(content, dict) else None
    is_sound = (isinstance(metainfo, dict) and all(key in metainfo for key in META_KEYS)
                and isinstance(metainfo['categories'], dict) and isinstance(records, list)
                and all(isinstance(record, dict) for record in records))
    if isinstance(content, dict) and {'infos', 'metadata'} <= set(content):
        raise UserError(f'{path} has the layout of mmdet3d before 1.1 (infos, metadata); bring it to v2 with '
                        "mmdet3d's tools/dataset_converters/update_infos_to_v2.py, or write one of this "
                        'project with gemini3d convert')
    if not is_sound:
        raise UserError(f'{path} is no info file of this project or of mmdet3d (v2); expected metainfo with '
                        f'{", ".join(META_KEYS)} and a data_list; {REMEDY}')
    if metainfo.get('info_version') == INFO_VERSION:
        raise UserError(f'{path} has lost its end, where its digest stands; {REMEDY}')
    try:
        bodies = [_body(record) for record in _normalised(metainfo, records)]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        if isinstance(error, UserError):
            raise UserError(f'{path}: {error}') from error
        raise UserError(f'{path} lacks what a record needs, or holds it in another form ({error!r}); '
                        f'{REMEDY}') from error
    is_own = 'split' in metainfo
    split = metainfo['split'] if is_own else _split_of(path, str(metainfo['version']))
    places = np.cumsum([0, *map(len, bodies)])
    return InfoRecords(path, {**metainfo, 'split': split}, places, b''.join(bodies), is_own)


def _open_mapped(path: Path) -> Optional[InfoRecords]:
    """Opens a file that ends as `write_info_file` ends one; None for others."""
    try:
        with path.open('rb') as file:
            size = file.seek(0, 2)
            if size < _TAIL.size:
                return None
            file.seek(size - _TAIL.size)
            expected, count, magic = _TAIL.unpack(file.read(_TAIL.size))
            if magic != _MAGIC:
                return None
            file.seek(0)
            digest, left = hashlib.sha256(), size - _TAIL.size
            while chunk := file.read(min(left, 1 << 20)):
                digest.update(chunk)
                left -= len(chunk)
            digest.update(_COUNT.pack(count))
            index_place = size - _TAIL.size - 8 * (count + 1)
            if digest.digest() != expected or index_place < 0:
                raise UserError(f'{path} is damaged: its digest is not the one that was written; {REMEDY}')
            file.seek(index_place)
            places = np.frombuffer(file.read(8 * (count + 1)), '<u8').astype(np.int64)
            file.seek(0)
            head = file.read(int(places[0]))
    except OSError as error:
        raise UserError(f'cannot read {path} ({error.strerror}); write it with gemini3d convert') from error
    metainfo = loads_data(head + pickle.APPENDS + pickle.SETITEMS + _END, name=str(path))['metainfo']
    return InfoRecords(path, metainfo, places)


def _split_of(path: Path, version: str) -> str:
    """mmdet3d's files say which split they hold by their name alone."""
    name = path.stem.replace(OLD_PREFIX, '', 1) if OLD_PREFIX in path.stem else path.stem.rsplit('_', 1)[-1]
    ending = version.rsplit('-', 1)[-1]
    return _SPLIT_BY_VERSION.get(ending, {}).get(name, name)


def _normalised(metainfo: Info, records: List[Info]) -> Iterator[Info]:
    """Yields records as this version writes them; labels of any class list become those of CLASS_NAMES."""
    names = {label: name for name, label in metainfo['categories'].items() if label >= 0}
    scene, last_s = 0, None
    for index, record in enumerate(records):
        if 'timestamp_us' not in record:
            is_next = last_s is not None and 0 < record['timestamp'] - last_s <= LONGEST_STEP_S
            scene, last_s = scene + (index > 0 and not is_next), record['timestamp']
            record = _from_mmdet3d(record, index, f'scene-{scene:04d}')
        for instance in record['instances']:
            name = names.get(instance.get('bbox_label_3d', -1), '')
            label = CLASS_NAMES.index(name) if name in CLASS_NAMES else -1
            instance.update(bbox_label=label, bbox_label_3d=label, category=instance.get('category', name))
        yield record


def _from_mmdet3d(info: Info, index: int, scene: str) -> Info:
    """Completes a record of mmdet3d: file names get their folders, times become whole microseconds."""
    lidar_name = _last_part(info['lidar_points']['lidar_path'])
    record = {
        'sample_idx': index, 'token': info['token'], 'scene_token': scene, 'scene_name': scene,
        'timestamp': info['timestamp'], 'timestamp_us': round(info['timestamp'] * 1e6),
        'ego2global': info['ego2global'],
        'images': {name: {'height': IMAGE_HW[0], 'width': IMAGE_HW[1], **image,
                          'img_path': f'samples/{name}/{_last_part(image["img_path"])}'}
                   for name, image in info['images'].items()},
        'lidar_points': {**info['lidar_points'], 'lidar_path': f'samples/LIDAR_TOP/{lidar_name}'},
        'lidar_sweeps': [{**sweep, 'timestamp_us': round(sweep['timestamp'] * 1e6), 'lidar_points': {
            **sweep['lidar_points'], 'lidar_path': _sweep_path(sweep['lidar_points']['lidar_path'])}}
            for sweep in info.get('lidar_sweeps', [])],
        # Absent in files of the test split, where mmdet3d's own loading stops.
        'instances': info.get('instances', []),
    }
    for name in record['images']:
        checked_relative_path(record['images'][name]['img_path'])
    return record


def _sweep_path(path: str) -> str:
    """mmdet3d writes sweeps with the data root of the day of conversion; the last folders are nuScenes'."""
    parts = path.replace('\\', '/').split('/')
    folder = 'samples' if len(parts) >= 3 and parts[-3] == 'samples' else 'sweeps'
    return checked_relative_path(f'{folder}/LIDAR_TOP/{parts[-1]}')


def _last_part(path: str) -> str:
    return checked_relative_path(path.replace('\\', '/').rsplit('/', 1)[-1])
