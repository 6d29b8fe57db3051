"""One sample of anybody's data as a record of plain values: the input of training and of prediction.

A record is a JSON object; a file of records holds one per line (`.jsonl`). Paths are relative to the data
root, which is the folder of the file unless said otherwise. All matrices map column vectors.

    token           text, unique in the file
    images          by camera name: null where the sample has no picture, else
                      path        JPEG or PNG
                      cam2img     3x3, raw pixels from camera coordinates (x right, y down, z ahead)
                      lidar2cam   4x4, camera from LiDAR coordinates at the time of the points
                      height, width   optional: the size that cam2img belongs to, else the file's
    points          null where there are none, else
                      path        float32 rows (.bin) or numpy's format (.npy)
                      columns     names; x, y, z in metres; intensity (0 to 255) and ring are used if there
    sweeps          optional, newest first: path, timestamp, lidar_from_sweep (4x4, LiDAR coordinates of
                    this sample from those of the sweep); columns as in points
    radars          optional, by name of a radar: its clouds, newest first, each with
                      path        nuScenes' radar file (.pcd), or float32 rows (.bin, .npy) with columns
                      columns     for rows: names; x, y, z in metres in the radar's frame; rcs in dBsm and
                                  vx, vy in m/s over ground along the line of sight are used if there
                      lidar_from_radar   4x4, LiDAR coordinates of this sample from those of the radar
                      timestamp   optional: seconds; that of the sample where absent
                    none, or no list, is a radar that the sample lacks
    timestamp       seconds; needed with sweeps
    scene           optional text: records of one drive, in the order of time
    ego_from_lidar, global_from_ego   optional, 4x4
    boxes           optional; for training and scoring
                      box         x, y, z (centre), length, width, height in metres, yaw in rad from x to y,
                                  in LiDAR coordinates
                      class       text
                      velocity    optional: x, y in m/s over ground along the LiDAR's axes; null if unknown
                      num_points  optional: points inside; a box with none is not learned
    cells           optional: path of the labels of the cells around the LiDAR, PNG or .npy (load_cells.py)
    cells_crc32     optional, of that file; another one is refused
    extra           optional, anything; not read
    crc32           optional, at the end: of the line before it; another one is warned of. In a picture,
                    points, sweeps and radars: of the file; another one is refused. `gemini3d check-data
                    --with-sums` writes both

In Python, `path` may hold the picture (H, W, 3) uint8 BGR, or the rows (N, number of columns), themselves,
and `cells` the labels.
"""
import mmap
from pathlib import Path
from typing import Any, Dict, Iterator, Sequence, Union

import numpy as np

from ..check_sums import say_once, unsealed_line
from ..errors import UserError
from ..geometry.frames import invert_pose
from ..paths import checked_relative_path
from ..point_files import FARTHEST_M, PLACE
from ..radar_files import RADAR_SUFFIX

Record = Dict[str, Any]
FIELDS = ('token', 'images', 'points', 'sweeps', 'radars', 'timestamp', 'scene', 'ego_from_lidar',
          'global_from_ego', 'boxes', 'cells', 'cells_crc32', 'extra')
IMAGE_FIELDS = ('path', 'cam2img', 'lidar2cam', 'height', 'width', 'crc32')
POINTS_FIELDS = ('path', 'columns', 'crc32')
SWEEP_FIELDS = ('path', 'timestamp', 'lidar_from_sweep', 'crc32')
RADAR_FIELDS = ('path', 'columns', 'lidar_from_radar', 'timestamp', 'crc32')
BOX_FIELDS = ('box', 'class', 'velocity', 'num_points')
ROTATION_TOLERANCE = 1e-3
# Sides of a box and speeds that no road user has: a slip in the annotation, of no use to any loss.
LONGEST_SIDE_M, FASTEST_MPS = 200.0, 100.0
# What lies beyond is in other units: millimetres, degrees, milliseconds.
FARTHEST_SENSOR_M, LARGEST_YAW_RAD, OLDEST_SWEEP_S = 100.0, 2 * np.pi + 1e-3, 30.0


def check_record(record: Any, name: str = 'the record') -> None:
    """Checks everything about a record but its files.

    Args:
        record: what should be one.
        name: what it is, for the message.

    Raises:
        UserError: for the first mistake.
    """
    for mistake in record_mistakes(record):
        raise UserError(f'{name}: {mistake}')


def record_mistakes(record: Any) -> Iterator[str]:
    """Yields a sentence per mistake."""
    if not isinstance(record, dict):
        yield f'got {_shown(record)}; expected an object with {", ".join(FIELDS[:3])}'
        return
    yield from _unknown(record, FIELDS, 'the record')
    if not isinstance(record.get('token'), str) or not record['token']:
        yield f'token is {_shown(record.get("token"))}; expected a text that no other record has'
    if not isinstance(record.get('scene', ''), str):
        yield f'scene is {_shown(record["scene"])}; expected a text'
    for key, farthest_m in (('ego_from_lidar', FARTHEST_SENSOR_M), ('global_from_ego', np.inf)):
        if record.get(key) is not None:
            yield from _pose_mistakes(record[key], key, farthest_m)
    yield from _image_mistakes(record.get('images', {}))
    yield from _point_mistakes(record)
    yield from _radar_mistakes(record)
    cells = record.get('cells')
    if cells is not None and not isinstance(cells, np.ndarray):
        yield from _path_mistakes(cells, 'cells', 2)
    if record.get('cells_crc32') is not None and not _is_integer(record['cells_crc32']):
        yield f'cells_crc32 is {_shown(record["cells_crc32"])}; expected a whole number, or none'
    boxes = record.get('boxes', [])
    if not isinstance(boxes, list):
        yield f'boxes is {_shown(boxes)}; expected a list'
        return
    for index, box in enumerate(boxes):
        yield from _box_mistakes(box, f'boxes[{index}]')


def _image_mistakes(images: Any) -> Iterator[str]:
    if not isinstance(images, dict):
        yield f'images is {_shown(images)}; expected an object of cameras by name'
        return
    for name, image in images.items():
        where = f'images.{name}'
        if image is None:
            continue
        if not isinstance(image, dict):
            yield (f'{where} is {_shown(image)}; expected an object with {", ".join(IMAGE_FIELDS[:3])}, or '
                   'null')
            continue
        yield from _file_mistakes(image, IMAGE_FIELDS, where, 3)
        yield from _matrix_mistakes(image.get('cam2img'), 3, f'{where}.cam2img')
        yield from _pose_mistakes(image.get('lidar2cam'), f'{where}.lidar2cam', FARTHEST_SENSOR_M)
        intrinsic = _numbers(image.get('cam2img'), (3, 3))
        if intrinsic is not None and not (min(intrinsic[0, 0], intrinsic[1, 1]) > 0
                                          and np.allclose(intrinsic[2], (0, 0, 1))):
            yield (f'{where}.cam2img is no matrix of a pinhole camera; expected [[fx, s, cx], [0, fy, cy], '
                   '[0, 0, 1]] with fx and fy above 0')
        sides = [image.get(side) for side in ('height', 'width')]
        if sides != [None, None] and not all(_is_integer(side) and side > 0 for side in sides):
            yield f'{where} has height and width {sides}; expected two whole numbers above 0, or neither'


def _point_mistakes(record: Record) -> Iterator[str]:
    points, sweeps = record.get('points'), record.get('sweeps', [])
    if points is not None and not isinstance(points, dict):
        yield f'points is {_shown(points)}; expected an object with path and columns, or null'
        points = None
    if isinstance(points, dict):
        yield from _file_mistakes(points, POINTS_FIELDS, 'points', 2)
        yield from _column_mistakes(points.get('columns'), 'points')
    elif not record.get('images') and not record.get('radars'):
        yield 'neither images nor points nor radars; expected at least one of them'
    if not isinstance(sweeps, list):
        yield f'sweeps is {_shown(sweeps)}; expected a list'
        return
    time_s = record.get('timestamp')
    if (sweeps or time_s is not None) and not _is_number(time_s):
        yield f'timestamp is {_shown(time_s)}; expected seconds, which sweeps need'
    for index, sweep in enumerate(sweeps):
        where = f'sweeps[{index}]'
        if not isinstance(sweep, dict):
            yield f'{where} is {_shown(sweep)}; expected an object with {", ".join(SWEEP_FIELDS)}'
            continue
        yield from _file_mistakes(sweep, SWEEP_FIELDS, where, 2)
        yield from _pose_mistakes(sweep.get('lidar_from_sweep'), f'{where}.lidar_from_sweep', FARTHEST_M)
        if not _is_number(sweep.get('timestamp')):
            yield f'{where}.timestamp is {_shown(sweep.get("timestamp"))}; expected seconds'
        elif _is_number(time_s) and not sweep['timestamp'] < time_s:
            yield (f'{where}.timestamp is {sweep["timestamp"]}; expected less than {time_s}, that of the '
                   'sample')
        yield from _age_mistakes(sweeps, index, time_s, where)


def _age_mistakes(clouds: Sequence[Any], index: int, time_s: Any, where: str) -> Iterator[str]:
    """Yields what is odd about the time of a cloud in a list, newest first, of a sample."""
    times_s = [cloud.get('timestamp', time_s) if isinstance(cloud, dict) else None
               for cloud in clouds[max(index - 1, 0):index + 1]]
    if not all(map(_is_number, (time_s, *times_s))):
        return
    if times_s[0] < times_s[-1]:
        yield f'{where}.timestamp is later than the one before in its list; expected the newest first'
    if abs(time_s - times_s[-1]) > OLDEST_SWEEP_S:
        yield (f'{where}.timestamp is {time_s - times_s[-1]:g} before that of the sample; expected seconds, '
               f'at most {OLDEST_SWEEP_S:.0f}')


def _column_mistakes(columns: Any, where: str) -> Iterator[str]:
    is_sound = (isinstance(columns, (list, tuple)) and all(isinstance(name, str) for name in columns)
                and len(set(columns)) == len(columns) and set(PLACE) <= set(columns))
    if not is_sound:
        yield f'{where}.columns is {_shown(columns)}; expected different names, x, y and z among them'


def _radar_mistakes(record: Record) -> Iterator[str]:
    radars = record.get('radars') or {}
    if not isinstance(radars, dict):
        yield f'radars is {_shown(radars)}; expected an object of radars by name'
        return
    for name, shots in radars.items():
        if not isinstance(shots, list):
            yield f'radars.{name} is {_shown(shots)}; expected a list of its clouds, newest first'
            continue
        for index, shot in enumerate(shots):
            where = f'radars.{name}[{index}]'
            if not isinstance(shot, dict):
                yield f'{where} is {_shown(shot)}; expected an object with path and lidar_from_radar'
                continue
            yield from _file_mistakes(shot, RADAR_FIELDS, where, 2)
            yield from _pose_mistakes(shot.get('lidar_from_radar'), f'{where}.lidar_from_radar', FARTHEST_M)
            yield from _age_mistakes(shots, index, record.get('timestamp'), where)
            path, columns = shot.get('path'), shot.get('columns')
            if isinstance(path, str) and path.endswith(RADAR_SUFFIX):
                if columns is not None:
                    yield f'{where} has columns; expected none for a {RADAR_SUFFIX} file, which names its own'
            else:
                yield from _column_mistakes(columns, where)
            if not _is_number(shot.get('timestamp', 0.0)):
                yield f'{where}.timestamp is {_shown(shot["timestamp"])}; expected seconds'
            elif 'timestamp' in shot and not _is_number(record.get('timestamp')):
                yield f'{where} has a timestamp and the sample none; expected both, in seconds'


def _box_mistakes(box: Any, where: str) -> Iterator[str]:
    if not isinstance(box, dict):
        yield f'{where} is {_shown(box)}; expected an object with box and class'
        return
    yield from _unknown(box, BOX_FIELDS, where)
    numbers = _numbers(box.get('box'), (7,))
    if numbers is None:
        yield (f'{where}.box is {_shown(box.get("box"))}; expected 7 numbers: x, y, z, length, width, '
               'height, yaw')
    elif not ((numbers[3:6] > 0) & (numbers[3:6] < LONGEST_SIDE_M)).all():
        yield (f'{where}.box has the sides {numbers[3:6].tolist()} m; expected above 0 and below '
               f'{LONGEST_SIDE_M:.0f}')
    elif abs(numbers[6]) > LARGEST_YAW_RAD:
        yield f'{where}.box has the yaw {numbers[6]:g}; expected radians, within a full turn to either side'
    if not isinstance(box.get('class'), str) or not box['class']:
        yield f'{where}.class is {_shown(box.get("class"))}; expected a text'
    velocity = box.get('velocity')
    if velocity is not None:
        speeds = _numbers(velocity, (2,))
        if speeds is None or np.hypot(*speeds) > FASTEST_MPS:
            yield (f'{where}.velocity is {_shown(velocity)}; expected x and y in m/s, at most '
                   f'{FASTEST_MPS:.0f} m/s together, or null')
    if box.get('num_points') is not None and not (_is_integer(box['num_points']) and box['num_points'] >= 0):
        yield f'{where}.num_points is {_shown(box["num_points"])}; expected a whole number from 0'


def _unknown(value: Record, fields: Sequence[str], where: str) -> Iterator[str]:
    unknown = [str(key) for key in value if key not in fields]
    if unknown:
        yield f'{where} has {", ".join(unknown)}; expected some of {", ".join(fields)}'


def _path_mistakes(path: Any, where: str, dims: int) -> Iterator[str]:
    if isinstance(path, np.ndarray):
        if path.ndim != dims:
            yield f'{where}.path is an array of shape {path.shape}; expected {dims} dimensions'
        return
    try:
        checked_relative_path(path)
    except UserError:
        name = where if where == 'cells' else f'{where}.path'
        yield f'{name} is {_shown(path)}; expected a path inside the data root'


def _matrix_mistakes(value: Any, side: int, where: str) -> Iterator[str]:
    if _numbers(value, (side, side)) is None:
        yield f'{where} is {_shown(value)}; expected {side}x{side} finite numbers'


def _pose_mistakes(value: Any, where: str, farthest_m: float = np.inf) -> Iterator[str]:
    yield from _matrix_mistakes(value, 4, where)
    matrix = _numbers(value, (4, 4))
    if matrix is not None:
        rotation = matrix[:3, :3]
        is_rigid = (np.abs(rotation @ rotation.T - np.eye(3)).max() < ROTATION_TOLERANCE
                    and np.linalg.det(rotation) > 0 and np.allclose(matrix[3], (0, 0, 0, 1)))
        if not is_rigid:
            yield (f'{where} is no rotation with a translation; expected [[R, t], [0, 0, 0, 1]] with R of '
                   'determinant 1')
        elif np.linalg.norm(matrix[:3, 3]) > farthest_m:
            yield (f'{where} moves by {np.linalg.norm(matrix[:3, 3]):.0f} m; expected at most '
                   f'{farthest_m:.0f} between sensors of one car, in metres')


def _numbers(value: Any, shape: Sequence[int]) -> 'np.ndarray | None':
    try:
        array = np.asarray(value)
        is_sound = array.dtype.kind in 'fiu' and array.shape == tuple(shape) and np.isfinite(array).all()
    except ValueError:
        return None
    return array.astype(np.float64) if is_sound else None


def _file_mistakes(part: Record, fields: Sequence[str], where: str, dims: int) -> Iterator[str]:
    yield from _unknown(part, fields, where)
    yield from _path_mistakes(part.get('path'), where, dims)
    if part.get('crc32') is not None and not _is_integer(part['crc32']):
        yield f'{where}.crc32 is {_shown(part["crc32"])}; expected a whole number, or none'


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    text = 'absent or null' if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + '...'


def record_to_info(record: Record) -> Record:
    """Returns a checked record as what the loaders and datasets of this project read."""
    points = record.get('points') or {'path': None, 'columns': list(PLACE)}
    time_s = record.get('timestamp', 0.0)
    info = {
        'token': record['token'], 'scene_token': record.get('scene', ''),
        'scene_name': record.get('scene', ''), 'timestamp': time_s,
        'timestamp_us': round(time_s * 1e6),
        'images': {name: {**image, 'img_path': image['path']} if image else {'img_path': None}
                   for name, image in record.get('images', {}).items()},
        'lidar_points': {'lidar_path': points['path'], 'columns': list(points['columns']),
                         'num_pts_feats': len(points['columns']), 'crc32': points.get('crc32')},
        'lidar_sweeps': [{
            'timestamp': sweep['timestamp'], 'timestamp_us': round(sweep['timestamp'] * 1e6),
            'lidar_points': {'lidar_path': sweep['path'], 'crc32': sweep.get('crc32'),
                             'lidar2sensor': invert_pose(
                                 np.array(sweep['lidar_from_sweep'], float)).tolist()},
        } for sweep in record.get('sweeps', [])],
        'instances': [{
            'bbox_label': -1, 'bbox_label_3d': -1, 'category': box['class'], 'bbox_3d': list(box['box']),
            'velocity': list(box.get('velocity') or (np.nan, np.nan)),
            'bbox_3d_isvalid': box.get('num_points') != 0, 'num_lidar_pts': box.get('num_points', 1),
        } for box in record.get('boxes', [])],
    }
    if record.get('radars') is not None:
        info['radars'] = {name: [{
            'radar_path': shot['path'], 'lidar_from_radar': shot['lidar_from_radar'],
            'crc32': shot.get('crc32'),
            'timestamp_us': round(shot.get('timestamp', time_s) * 1e6),
            **({'columns': list(shot['columns'])} if shot.get('columns') else {})} for shot in shots]
            for name, shots in record['radars'].items()}
    if record.get('cells') is not None:
        info.update(cells=record['cells'], cells_crc32=record.get('cells_crc32'))
    if record.get('ego_from_lidar') is not None:
        info['lidar_points']['lidar2ego'] = record['ego_from_lidar']
    if record.get('global_from_ego') is not None:
        info['ego2global'] = record['global_from_ego']
    return info


class RecordFile:
    """The records of a `.jsonl` file, read one line at a time and as they stand.

    Args:
        path: the file.

    Raises:
        UserError: if it cannot be read or holds nothing.
    """

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)
        try:
            with self.path.open('rb') as file:
                ends = np.cumsum([0, *(len(line) for line in file)])
        except OSError as error:
            raise UserError(
                f'cannot read {path} ({error.strerror}); expected a file with one record per line') from error
        self._map: Any = None
        self._lines = [(int(start), int(stop)) for start, stop in zip(ends, ends[1:])]
        self.line_numbers = [number for number, line in enumerate(self._lines, start=1)
                             if self._bytes(*line).strip()]
        if not self.line_numbers:
            raise UserError(f'{path} is empty; expected one record per line')

    def __len__(self) -> int:
        return len(self.line_numbers)

    def name(self, index: int) -> str:
        """Returns what a record is called in messages."""
        return f'{self.path}, line {self.line_numbers[index]}'

    def __getitem__(self, index: int) -> Any:
        """Returns what a line holds.

        Args:
            index: which record.

        Raises:
            UserError: if it is no JSON.
        """
        try:
            content, is_right = unsealed_line(self._bytes(*self._lines[self.line_numbers[index] - 1]))
        except (ValueError, RecursionError) as error:
            raise UserError(f'{self.name(index)}: no JSON ({error}); expected one record per line') from error
        if not is_right:
            say_once(f'{self.name(index)}, has another check sum at its end: it was damaged, or changed')
        return content

    def _bytes(self, start: int, stop: int) -> bytes:
        if self._map is None:
            with self.path.open('rb') as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map[start:stop]

    def __getstate__(self) -> Record:
        return {**self.__dict__, '_map': None}


class RecordInfos:
    """The records of a file, checked and ready for the datasets of this project."""

    def __init__(self, path: Union[str, Path]) -> None:
        self.records = RecordFile(path)

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> Record:
        record = self.records[index]
        check_record(record, self.records.name(index))
        return record_to_info(record)
