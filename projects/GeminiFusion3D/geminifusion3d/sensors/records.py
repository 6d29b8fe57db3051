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
from typing import Any, Callable, Dict, Iterator, Sequence, Union

import numpy as np

from ..check_sums import say_once, unsealed_line
from ..errors import UserError
from ..geometry.frames import invert_pose
from ..paths import checked_relative_path
from ..point_files import FARTHEST_M, PLACE
from ..radar_files import RADAR_SUFFIX

Record = Dict[str, Any]
# Takes a value and where it stands; yields a sentence per mistake.
Check = Callable[[Any, str], Iterator[str]]
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
    yield from _object_mistakes(record, '', RECORD, 'an object with token, images, points')
    if not isinstance(record, dict):
        return
    images, time_s = record.get('images', {}), record.get('timestamp')
    if not isinstance(images, dict):
        yield f'images is {_shown(images)}; expected an object of cameras by name'
        images = {}
    for name, image in images.items():
        if image is not None:
            yield from _image_mistakes(image, f'images.{name}')
    if record.get('points') is not None:
        yield from _object_mistakes(record['points'], 'points', POINTS, 'an object with path and columns')
    elif not record.get('images') and not record.get('radars'):
        yield 'neither images nor points nor radars; expected at least one of them'
    sweeps = record.get('sweeps', [])
    if (sweeps or time_s is not None) and not _is_number(time_s):
        yield f'timestamp is {_shown(time_s)}; expected seconds, which sweeps need'
    yield from _cloud_mistakes(sweeps, 'sweeps', SWEEP, time_s)
    radars = record.get('radars') or {}
    if not isinstance(radars, dict):
        yield f'radars is {_shown(radars)}; expected an object of radars by name'
        radars = {}
    for name, shots in radars.items():
        yield from _cloud_mistakes(shots, f'radars.{name}', RADAR, time_s)
    boxes = record.get('boxes', [])
    if not isinstance(boxes, list):
        yield f'boxes is {_shown(boxes)}; expected a list'
        boxes = []
    for index, box in enumerate(boxes):
        yield from _object_mistakes(box, f'boxes[{index}]', BOX, 'an object with box and class')


def _object_mistakes(value: Any, where: str, fields: Dict[str, Check], expected: str) -> Iterator[str]:
    """Yields what is wrong with an object of named fields."""
    if not isinstance(value, dict):
        yield f'{where or "the record"} is {_shown(value)}; expected {expected}'
        return
    unknown = [str(key) for key in value if key not in fields]
    if unknown:
        yield f'{where or "the record"} has {", ".join(unknown)}; expected some of {", ".join(fields)}'
    for name, check in fields.items():
        yield from check(value.get(name), f'{where}.{name}' if where else name)


def _image_mistakes(image: Any, where: str) -> Iterator[str]:
    yield from _object_mistakes(image, where, IMAGE, 'an object with path, cam2img, lidar2cam, or null')
    sides = [image.get(side) for side in ('height', 'width')] if isinstance(image, dict) else [None, None]
    if sides != [None, None] and not all(map(_is_natural, sides)) or 0 in sides:
        yield f'{where} has height and width {sides}; expected two whole numbers above 0, or neither'


def _cloud_mistakes(clouds: Any, where: str, fields: Dict[str, Check], time_s: Any) -> Iterator[str]:
    """Yields what is wrong with the sweeps, or with the clouds of a radar, of a sample of a time."""
    if not isinstance(clouds, list):
        yield f'{where} is {_shown(clouds)}; expected a list of its clouds, newest first'
        return
    for index, cloud in enumerate(clouds):
        place = f'{where}[{index}]'
        yield from _object_mistakes(cloud, place, fields, f'an object with {", ".join(fields)}')
        yield from _age_mistakes(clouds, index, time_s, place)
        if fields is RADAR and isinstance(cloud, dict):
            yield from _radar_mistakes(cloud, place, time_s)


def _age_mistakes(clouds: Sequence[Any], index: int, time_s: Any, where: str) -> Iterator[str]:
    """Yields what is odd about the time of a cloud in a list, newest first, of a sample."""
    times_s = [cloud.get('timestamp', time_s) if isinstance(cloud, dict) else None
               for cloud in clouds[max(index - 1, 0):index + 1]]
    if not all(map(_is_number, (time_s, *times_s))):
        return
    if where.startswith('sweeps') and not times_s[-1] < time_s:
        yield f'{where}.timestamp is {times_s[-1]}; expected less than {time_s}, that of the sample'
    if times_s[0] < times_s[-1]:
        yield f'{where}.timestamp is later than the one before in its list; expected the newest first'
    if abs(time_s - times_s[-1]) > OLDEST_SWEEP_S:
        yield (f'{where}.timestamp is {time_s - times_s[-1]:g} before that of the sample; expected seconds, '
               f'at most {OLDEST_SWEEP_S:.0f}')


def _radar_mistakes(shot: Record, where: str, time_s: Any) -> Iterator[str]:
    """Yields what nuScenes' files and files of rows, and the times of a radar, have not in common."""
    if str(shot.get('path')).endswith(RADAR_SUFFIX):
        if shot.get('columns') is not None:
            yield f'{where} has columns; expected none for a {RADAR_SUFFIX} file, which names its own'
    else:
        yield from COLUMNS(shot.get('columns'), f'{where}.columns')
    if 'timestamp' in shot:
        yield from SECONDS(shot['timestamp'], f'{where}.timestamp')
        if not _is_number(time_s):
            yield f'{where} has a timestamp and the sample none; expected both, in seconds'


def _box(value: Any, where: str) -> Iterator[str]:
    numbers = _numbers(value, (7,))
    if numbers is None:
        yield f'{where} is {_shown(value)}; expected 7 numbers: x, y, z, length, width, height, yaw'
    elif not ((numbers[3:6] > 0) & (numbers[3:6] < LONGEST_SIDE_M)).all():
        yield (f'{where} has the sides {numbers[3:6].tolist()} m; expected above 0 and below '
               f'{LONGEST_SIDE_M:.0f}')
    elif abs(numbers[6]) > LARGEST_YAW_RAD:
        yield f'{where} has the yaw {numbers[6]:g}; expected radians, within a full turn to either side'


def _pinhole(value: Any, where: str) -> Iterator[str]:
    matrix = _numbers(value, (3, 3))
    if matrix is None:
        yield f'{where} is {_shown(value)}; expected 3x3 finite numbers'
    elif not (min(matrix[0, 0], matrix[1, 1]) > 0 and np.allclose(matrix[2], (0, 0, 1))):
        yield (f'{where} is no matrix of a pinhole camera; expected [[fx, s, cx], [0, fy, cy], [0, 0, 1]] '
               'with fx and fy above 0')


def _pose(farthest_m: float) -> Check:
    """Returns what refuses all but a rotation with a translation of so many metres at most."""
    def check(value: Any, where: str) -> Iterator[str]:
        matrix = _numbers(value, (4, 4))
        if matrix is None:
            yield f'{where} is {_shown(value)}; expected 4x4 finite numbers'
        elif not (np.abs(matrix[:3, :3] @ matrix[:3, :3].T - np.eye(3)).max() < ROTATION_TOLERANCE
                  and np.linalg.det(matrix[:3, :3]) > 0 and np.allclose(matrix[3], (0, 0, 0, 1))):
            yield (f'{where} is no rotation with a translation; expected [[R, t], [0, 0, 0, 1]] with R of '
                   'determinant 1')
        elif np.linalg.norm(matrix[:3, 3]) > farthest_m:
            yield (f'{where} moves by {np.linalg.norm(matrix[:3, 3]):.0f} m; expected at most '
                   f'{farthest_m:.0f} between sensors of one car, in metres')

    return check


def _source(dims: int) -> Check:
    """Returns what refuses all but a path inside the data root, or an array of so many dimensions."""
    def check(value: Any, where: str) -> Iterator[str]:
        try:
            if not isinstance(value, np.ndarray):
                checked_relative_path(value)
            elif value.ndim != dims:
                yield f'{where} is an array of shape {value.shape}; expected {dims} dimensions'
        except UserError:
            yield f'{where} is {_shown(value)}; expected a path inside the data root'

    return check


def _must(is_sound: Callable[[Any], Any], expected: str) -> Check:
    """Returns what refuses a value and says what is expected."""
    def check(value: Any, where: str) -> Iterator[str]:
        if not is_sound(value):
            yield f'{where} is {_shown(value)}; expected {expected}'

    return check


def _if_there(check: Check) -> Check:
    return lambda value, where: iter(()) if value is None else check(value, where)


def _numbers(value: Any, shape: Sequence[int]) -> 'np.ndarray | None':
    try:
        array = np.asarray(value)
        is_sound = array.dtype.kind in 'fiu' and array.shape == tuple(shape) and np.isfinite(array).all()
    except ValueError:
        return None
    return array.astype(np.float64) if is_sound else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12


def _is_natural(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ''


def _are_columns(names: Any) -> bool:
    return (isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
            and len(set(names)) == len(names) and set(PLACE) <= set(names))


def _is_speed(value: Any) -> bool:
    speeds = _numbers(value, (2,))
    return speeds is not None and bool(np.hypot(*speeds) <= FASTEST_MPS)


def _shown(value: Any) -> str:
    text = 'absent or null' if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + '...'


SECONDS, TEXT = _must(_is_number, 'seconds'), _must(_is_text, 'a text')
COLUMNS = _must(_are_columns, 'different names, x, y and z among them')
NATURAL = _if_there(_must(_is_natural, 'a whole number from 0, or none'))
SENSOR_POSE, CLOUD_POSE = _pose(FARTHEST_SENSOR_M), _pose(FARTHEST_M)
# What is looked at together with other fields, or not at all.
ELSEWHERE = _must(lambda value: True, '')
# The fields of each object and what they hold.
IMAGE = {'path': _source(3), 'cam2img': _pinhole, 'lidar2cam': SENSOR_POSE, 'height': ELSEWHERE,
         'width': ELSEWHERE, 'crc32': NATURAL}
POINTS = {'path': _source(2), 'columns': COLUMNS, 'crc32': NATURAL}
SWEEP = {'path': _source(2), 'timestamp': SECONDS, 'lidar_from_sweep': CLOUD_POSE, 'crc32': NATURAL}
RADAR = {'path': _source(2), 'columns': ELSEWHERE, 'lidar_from_radar': CLOUD_POSE, 'timestamp': ELSEWHERE,
         'crc32': NATURAL}
BOX = {'box': _box, 'class': TEXT, 'num_points': NATURAL, 'velocity': _if_there(_must(
    _is_speed, f'x and y in m/s, at most {FASTEST_MPS:.0f} m/s together, or null'))}
RECORD = {
    'token': _must(_is_text, 'a text that no other record has'), 'images': ELSEWHERE, 'points': ELSEWHERE,
    'sweeps': ELSEWHERE, 'radars': ELSEWHERE, 'timestamp': ELSEWHERE, 'scene': _if_there(TEXT),
    'ego_from_lidar': _if_there(SENSOR_POSE), 'global_from_ego': _if_there(_pose(np.inf)), 'boxes': ELSEWHERE,
    'cells': _if_there(_source(2)), 'cells_crc32': NATURAL, 'extra': ELSEWHERE}


def record_to_info(record: Record) -> Record:
    """Returns a checked record as what the loaders and datasets of this project read."""
    points = record.get('points') or {'path': None, 'columns': list(PLACE)}
    time_s = record.get('timestamp') or 0.0
    info = {
        'token': record['token'], 'scene_token': record.get('scene') or '',
        'scene_name': record.get('scene') or '', 'timestamp': time_s,
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
