"""What a detector predicts on: sensors handed over one by one, generic records, or keyframes of nuScenes."""
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Collection, Dict, Iterator, List, Mapping, Optional, Sequence, Union

import numpy as np

from ..data_converters.nuscenes_infos import scene_infos
from ..data_converters.nuscenes_tables import open_tables
from ..errors import UserError
from ..info_file import open_info_file
from ..nuscenes_facts import LIDAR_COLUMNS
from ..point_files import read_point_file
from ..results.evaluated_split import info_file_of_split
from ..sensors.records import RecordFile, check_record, record_to_info

Source = Union[str, 'os.PathLike[str]', np.ndarray]
MAX_SWEEPS = 10


@dataclass(frozen=True)
class Sample:
    """One sample, whatever it comes from.

    Attributes:
        info: as the datasets and loaders of this project read it.
        root: the folder that its paths are relative to.
    """

    info: Dict[str, Any]
    root: str

    @property
    def token(self) -> str:
        """Its name."""
        return str(self.info['token'])

    @classmethod
    def from_record(cls, record: Dict[str, Any], root: Union[str, Path], name: str = 'the record'
                    ) -> 'Sample':
        """Returns a generic record (`sensors/records.py`) as a sample.

        Args:
            record: the record.
            root: the folder that its paths are relative to.
            name: what it is, for messages.

        Raises:
            UserError: for the first mistake in it.
        """
        check_record(record, name)
        return cls(record_to_info(record), str(root))

    @classmethod
    def from_sensors(cls, *, images: Mapping[str, Optional[Source]] = {}, points: Optional[Source] = None,
                     cam2img: Mapping[str, Any] = {}, lidar2cam: Mapping[str, Any] = {},
                     columns: Sequence[str] = LIDAR_COLUMNS, sweeps: Sequence[Mapping[str, Any]] = (),
                     timestamp: Optional[float] = None, ego_from_lidar: Any = None,
                     global_from_ego: Any = None, token: str = 'sample',
                     radars: Mapping[str, Sequence[Mapping[str, Any]]] = {}) -> 'Sample':
        """Makes a sample of files or arrays; matrices may be arrays or lists and map column vectors.

        Args:
            images: by camera name: path of a JPEG or PNG file, or the picture (H, W, 3) uint8 BGR; None,
                or no entry, where there is none.
            points: path of a `.bin` (float32 rows) or `.npy` file, or the rows (N, number of columns); None
                where there are none.
            cam2img: by camera name: 3x3, pixels of the picture from camera coordinates (x right, y down,
                z ahead).
            lidar2cam: by camera name: 4x4, camera from LiDAR coordinates.
            columns: what the columns of the points are; x, y, z in metres, intensity from 0 to 255.
            sweeps: earlier clouds of the same columns, newest first, each with `points`, `timestamp` and
                `lidar_from_sweep` (4x4, LiDAR coordinates of this sample from those of the sweep).
            timestamp: seconds; needed with sweeps.
            ego_from_lidar: 4x4; for boxes in the frame of the car.
            global_from_ego: 4x4; for boxes in the global frame.
            token: name of the sample.
            radars: by radar name its clouds, newest first, each with `points` (path of nuScenes' `.pcd`
                file; or of rows, or the rows, with `columns` such as x, y, z, rcs, vx, vy: velocity over
                ground along the line of sight), `lidar_from_radar` (4x4) and, of an earlier time,
                `timestamp`.

        Raises:
            UserError: for the first mistake, in one sentence.
        """
        for kind, given in dict(images=images, cam2img=cam2img, lidar2cam=lidar2cam, radars=radars).items():
            if not isinstance(given, Mapping):
                raise UserError(f'{kind} is a {type(given).__name__}; expected a dictionary by sensor name')
        record = {
            'token': token, 'timestamp': timestamp,
            'ego_from_lidar': _plain(ego_from_lidar), 'global_from_ego': _plain(global_from_ego),
            'images': {name: image if image is None else {
                'path': _picture(image, name), 'cam2img': _plain(cam2img.get(name)),
                'lidar2cam': _plain(lidar2cam.get(name))} for name, image in images.items()},
            'points': None if points is None else {
                'path': _cloud(points, columns, 'points'), 'columns': list(columns)},
            'sweeps': [{
                **{key: _plain(value) for key, value in sweep.items() if key != 'points'},
                'path': _cloud(sweep.get('points'), columns, f'sweeps[{index}].points'),
            } for index, sweep in enumerate(sweeps)],
            'radars': {name: [{
                **{key: _plain(value) for key, value in shot.items() if key != 'points'},
                'path': _cloud(shot.get('points'), shot.get('columns', ()),
                               f'radars[{name!r}][{index}].points'),
            } for index, shot in enumerate(shots)] for name, shots in radars.items()}}
        given = {key: value for key, value in record.items() if value is not None}
        return cls.from_record(given, '/', 'the sample')


def record_samples(path: Union[str, Path], root: Union[str, Path, None] = None) -> Iterator[Sample]:
    """Yields the samples of a file of generic records.

    Args:
        path: the `.jsonl` file.
        root: what its paths are relative to; the folder of the file where None.

    Raises:
        UserError: if it cannot be read, or for the first mistake in a record.
    """
    records, root = RecordFile(path), Path(path).parent if root is None else root
    for index in range(len(records)):
        yield Sample.from_record(records[index], root, records.name(index))


def nuscenes_samples(dataroot: Union[str, Path], version: str, tokens: Collection[str] = (),
                     split: str = '', with_radars: bool = False) -> Iterator[Sample]:
    """Yields keyframes of nuScenes with what their annotations say.

    Args:
        dataroot: folder of the dataset.
        version: the folder of its tables.
        tokens: which samples; all where empty.
        split: read the info file of this split, which has been converted; empty: read the tables.
        with_radars: list the radars of the tables too; an info file lists those that it was converted with.

    Raises:
        UserError: if the tables or the file cannot be read, or a sample is not there.
    """
    missing = set(tokens)
    for info in _nuscenes_infos(Path(dataroot), version, missing.copy(), split, with_radars):
        if not tokens or info['token'] in missing:
            missing.discard(info['token'])
            yield Sample(info, str(dataroot))
    if missing:
        raise UserError(f'{split or version} in {dataroot} has no sample {", ".join(sorted(missing))}')


def _nuscenes_infos(dataroot: Path, version: str, tokens: Collection[str], split: str, with_radars: bool
                    ) -> Iterator[Dict[str, Any]]:
    if split:
        records = open_info_file(info_file_of_split(dataroot / f'geminifusion3d_infos_{split}.pkl', split))
        yield from (records[index] for index in range(len(records)))
        return
    nusc = open_tables(dataroot, version, with_radars)
    scenes: List[str] = [scene['token'] for scene in nusc.scene]
    if tokens:
        of_samples = {row['scene_token'] for row in nusc.sample if row['token'] in tokens}
        scenes = [scene for scene in scenes if scene in of_samples]
    for scene in scenes:
        yield from scene_infos(nusc, scene, MAX_SWEEPS, radar_sweeps=MAX_SWEEPS if with_radars else None)


def _plain(matrix: Any) -> Any:
    """Returns arrays and tensors as lists, so that messages show them in one line."""
    return matrix.tolist() if hasattr(matrix, 'tolist') else matrix


def _picture(image: Source, name: str) -> Union[str, np.ndarray]:
    if isinstance(image, np.ndarray):
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
            raise UserError(f'the picture of {name} is an array {image.shape} of {image.dtype}; expected '
                            '(H, W, 3) uint8, blue green red')
        return image
    return _file(image, f'the picture of {name}')


def _cloud(points: Any, columns: Sequence[str], name: str) -> Union[str, np.ndarray]:
    if isinstance(points, np.ndarray):
        if points.ndim != 2 or points.shape[1] != len(columns):
            raise UserError(f'{name} is an array {points.shape}; expected (N, {len(columns)}) for the '
                            f'columns {", ".join(columns)}: say with columns=... what yours are')
        return read_point_file(points, columns)
    return _file(points, name)


def _file(path: Any, name: str) -> str:
    """Returns a path relative to /, which is the root of what a caller hands over."""
    if not isinstance(path, (str, os.PathLike)):
        raise UserError(f'{name} is a {type(path).__name__}; expected a path or a numpy array')
    if not os.path.isfile(path):
        raise UserError(f'{name}: there is no file {os.fspath(path)}')
    return os.path.abspath(path).lstrip('/')
