"""Looks at a file of records and every file that it names, before anybody trains on it.

Besides what `sensors/records.py` demands of a record, files are opened, and what is allowed but hardly meant
is said: cameras that see no point of the cloud, that look elsewhere than their names say, whose pictures fit
the clouds better when turned; boxes that hold no point, clouds whose columns are others.
"""
import zlib
from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

import numpy as np
from tqdm import tqdm

from geminifusion3d.atomic import atomic_write
from geminifusion3d.check_sums import sealed_line
from geminifusion3d.cli import plural
from geminifusion3d.data_converters.findings import Findings
from geminifusion3d.data_converters.sensor_files import picture_file_facts
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.boxes import points_in_boxes
from geminifusion3d.paths import inside
from geminifusion3d.picture_files import decode
from geminifusion3d.point_files import (SUSPICIOUS_SHARE, odd_intensities, other_columns, read_point_file,
                                        without_absurd)
from geminifusion3d.radar_files import read_radar_file, read_radar_rows
from geminifusion3d.sensors.load_cells import read_cells
from geminifusion3d.sensors.odd_calibrations import Odd, odd_cameras, odd_intrinsics, odd_radars, sees
from geminifusion3d.sensors.records import RecordFile, record_mistakes

from .camera_headings import HeadingFit, border_strengths

# Of points in boxes with z at the centre, so many lie in the lower part at least.
LOWER, LEAST_LOWER, FEW_POINTS = 0.4, 0.05, 200
# Of boxes, whose sides differ by this much, whether the first is the longer one.
ELONGATED, FEW_BOXES = 1.3, 5
# In how many records, spread over the file, edges are compared.
COMPARED_RECORDS = 20


class DataReport(NamedTuple):
    """What a file of records holds and what is wrong with it.

    Attributes:
        samples: number of records.
        boxes: number of boxes by class.
        cameras: number of pictures by camera.
        mistakes: one line per kind, with its count and first place; nothing can be trained on these.
        warnings: likewise; allowed, but hardly meant.
    """

    samples: int
    boxes: Dict[str, int]
    cameras: Dict[str, int]
    mistakes: List[str]
    warnings: List[str]

    @property
    def is_sound(self) -> bool:
        """Returns whether there is no mistake."""
        return not self.mistakes

    def text(self) -> str:
        """Returns the report for people."""
        lines = [f'{plural(self.samples, "sample")}; pictures: {_counted(self.cameras)}; '
                 f'boxes: {_counted(self.boxes)}']
        lines += [f'error: {line}' for line in self.mistakes] + [f'warning: {line}' for line in self.warnings]
        return '\n'.join(lines + ([] if self.mistakes else ['every record and every file can be read']))


def check_data(path: Union[str, Path], data_root: Union[str, Path, None] = None,
               classes: Sequence[str] = (), with_sums: Optional[Path] = None,
               cameras: Sequence[str] = ()) -> DataReport:
    """Checks a file of records with all files that it names.

    Args:
        path: the `.jsonl` file.
        data_root: what paths in it are relative to; the folder of the file where None.
        classes: those of the recipe; boxes of others are named. Empty: any.
        with_sums: where to write the records, if they are sound, with the check sum of each file and line.
        cameras: those of the recipe; others are named. Empty: any.

    Raises:
        UserError: if the file itself cannot be read, or there is one already where it shall be written.
    """
    if with_sums is not None and with_sums.exists():
        raise UserError(f'{with_sums} exists already; name a new file for the records with check sums')
    records = RecordFile(path)
    check = _Check(Path(data_root) if data_root is not None else Path(path).parent, classes, cameras)
    compared = set(np.linspace(0, len(records) - 1, COMPARED_RECORDS).astype(int).tolist())
    for index in tqdm(range(len(records)), desc='records'):
        name = f'line {records.line_numbers[index]}'
        try:
            record = records[index]
        except UserError as error:
            check.mistakes.add('lines that are no JSON', str(error))
            continue
        mistakes = list(record_mistakes(record))
        for mistake in mistakes:
            check.mistakes.add('mistakes in the fields of a record', f'{name}: {mistake}')
        if not mistakes:
            check.look_at(record, name, compares_edges=index in compared)
    report = check.report(len(records))
    if with_sums is not None and report.is_sound:
        with atomic_write(with_sums) as part, part.open('w') as file:
            for index in range(len(records)):
                file.write(sealed_line(check.with_sums(records[index])))
    return report


class _Check:
    """Collects what the records of a file hold."""

    def __init__(self, root: Path, classes: Sequence[str], cameras: Sequence[str]) -> None:
        self._root, self._classes, self._wanted_cameras = root, classes, cameras
        self.mistakes, self.warnings = Findings(), Findings()
        self._boxes: Counter = Counter()
        self._cameras: Counter = Counter()
        self._unseen: Counter = Counter()
        self._tokens: Dict[str, str] = {}
        self._columns: Optional[Sequence[str]] = None
        self._names: Optional[Set[str]] = None
        self._last: Dict[str, float] = {}
        self._cells_shape: Optional[Tuple[int, ...]] = None
        self._fits: Dict[str, HeadingFit] = {}
        self._returns: Counter = Counter()
        self._points_in_boxes = self._lower_points = 0
        self._elongated: Dict[str, Counter] = {}

    def look_at(self, record: Dict[str, Any], name: str, *, compares_edges: bool) -> None:
        """Checks one record whose fields are sound."""
        if record['token'] in self._tokens:
            self.mistakes.add('tokens that occur twice',
                              f'{name}: {record["token"]!r}, as in {self._tokens[record["token"]]}')
        self._tokens[record['token']] = name
        scene, time_s = record.get('scene'), record.get('timestamp')
        if scene is not None and time_s is not None:
            if time_s <= self._last.get(scene, -np.inf):
                self.warnings.add('records that are not later than the one before in their scene', name)
            self._last[scene] = time_s
        points = self._points(record, name)
        names = set(record.get('images', {}))
        if self._names not in (None, names):
            self.warnings.add('records of other cameras than the first one (null is for a picture that a '
                              'sample lacks)', f'{name}: {", ".join(sorted(names)) or "none"}')
        self._names = self._names or names
        unread = sorted(names - set(self._wanted_cameras)) if self._wanted_cameras else []
        if unread:
            self.warnings.add(f'records of a camera that is none of {", ".join(self._wanted_cameras)}, which '
                              'nobody reads', f'{name}: {", ".join(unread)}')
        seen = {camera: image for camera, image in record.get('images', {}).items() if image is not None}
        strengths = border_strengths(points) if compares_edges and len(points) else None
        for camera, image in seen.items():
            self._cameras[camera] += 1
            self._picture(camera, image, points, name, strengths)
        if record.get('cells') is not None:
            self._cells(record, name)
        radars, pose = record.get('radars') or {}, record.get('ego_from_lidar')
        self._warn([*odd_cameras(seen, pose), *odd_radars(radars, pose)], name)
        for radar, shots in radars.items():
            for shot in shots:
                self._radar(radar, shot, name)
        boxes = record.get('boxes', [])
        self._boxes.update(box['class'] for box in boxes)
        for box in boxes:
            length, width = box['box'][3:5]
            if max(length, width) > ELONGATED * min(length, width):
                self._elongated.setdefault(box['class'], Counter())[length > width] += 1
        for box in boxes:
            if self._classes and box['class'] not in self._classes:
                self.warnings.add(
                    f'boxes of a class that is none of {", ".join(self._classes)}',
                    f'{name}: {box["class"]!r}')
        if boxes and len(points):
            self._boxes_against(np.array([box['box'] for box in boxes], np.float32), points, name)

    def with_sums(self, record: Dict[str, Any]) -> Dict[str, Any]:
        """Returns a sound record with the check sum of each picture and cloud."""
        images = {name: image and self._with_sum(image) for name, image in record.get('images', {}).items()}
        parts: Dict[str, Any] = {'images': images, 'sweeps': [self._with_sum(sweep)
                                                              for sweep in record.get('sweeps', [])]}
        if record.get('points') is not None:
            parts['points'] = self._with_sum(record['points'])
        if record.get('radars') is not None:
            parts['radars'] = {name: [self._with_sum(shot) for shot in shots]
                               for name, shots in record['radars'].items()}
        if record.get('cells') is not None:
            parts['cells_crc32'] = self._sum_of(record['cells'])
        return {**record, **{key: part for key, part in parts.items() if key in {*record, 'cells_crc32'}}}

    def _with_sum(self, part: Dict[str, Any]) -> Dict[str, Any]:
        return {**part, 'crc32': self._sum_of(part['path'])}

    def _sum_of(self, path: str) -> int:
        return zlib.crc32(Path(inside(self._root, path)).read_bytes())

    def _cells(self, record: Dict[str, Any], name: str) -> None:
        try:
            shape = read_cells(inside(self._root, record['cells']), record.get('cells_crc32')).shape
        except UserError as error:
            self.mistakes.add('labels of cells that cannot be read', f'{name}: {error}')
            return
        if self._cells_shape not in (None, shape):
            self.warnings.add('labels of cells of another shape than the first ones', f'{name}: {shape}')
        self._cells_shape = self._cells_shape or shape

    def _points(self, record: Dict[str, Any], name: str) -> np.ndarray:
        """Returns x, y, z of the keyframe's cloud; checks those of its sweeps too."""
        if record.get('points') is None:
            return np.zeros((0, 3), np.float32)
        columns = tuple(record['points']['columns'])
        if self._columns not in (None, columns):
            self.warnings.add('clouds of other columns than the first one', f'{name}: {", ".join(columns)}')
        self._columns = self._columns or columns
        clouds = [self._cloud(part, columns, name) for part in (record['points'], *record.get('sweeps', []))]
        return clouds[0][:, [columns.index(axis) for axis in 'xyz']]

    def _cloud(self, part: Dict[str, Any], columns: Sequence[str], name: str) -> np.ndarray:
        path = part['path']
        try:
            rows = read_point_file(inside(self._root, path), columns, part.get('crc32'))
        except UserError as error:
            self.mistakes.add('clouds that cannot be read', f'{name}: {error}')
            return np.zeros((0, len(columns)), np.float32)
        sound, num_dropped = without_absurd(rows, columns)
        if num_dropped:
            self.warnings.add('clouds with points that are dropped (not finite, too far, too strong)',
                              f'{name}: {num_dropped} of {len(rows)} in {path}')
        problem = other_columns(sound, columns)
        if num_dropped > SUSPICIOUS_SHARE * len(rows) or problem:
            self.mistakes.add(f'clouds that cannot have the columns {", ".join(columns)}: '
                              + (problem or 'numbers that no LiDAR measures'), f'{name}: {path}')
        scale = odd_intensities(sound, columns)
        if scale:
            self.warnings.add('clouds with intensities of another scale than 0 to 255, which recipes and '
                              'trained weights know', f'{name}: {scale} in {path}')
        if not len(rows):
            self.warnings.add('clouds without points', f'{name}: {path}')
        return sound

    def _radar(self, radar: str, shot: Dict[str, Any], name: str) -> None:
        path, columns = inside(self._root, shot['path']), shot.get('columns')
        try:
            rows = (read_radar_rows(path, columns, shot.get('crc32')) if columns
                    else read_radar_file(path, crc32=shot.get('crc32')))
        except UserError as error:
            self.mistakes.add('clouds of radars that cannot be read', f'{name}: {error}')
            return
        self._returns[radar] += len(rows)

    def _picture(self, camera: str, image: Dict[str, Any], points: np.ndarray, name: str,
                 strengths: Optional[np.ndarray]) -> None:
        expected_hw = (image.get('height') or 0, image.get('width') or 0)
        path = inside(self._root, image['path'])
        problem, other_hw = picture_file_facts(path, expected_hw, decodes=True)
        if not problem and image.get('crc32') not in (None, zlib.crc32(Path(path).read_bytes())):
            problem = 'another file than its check sum says'
        if problem:
            self.mistakes.add('pictures that cannot be used', f'{name}: {image["path"]} is {problem}')
            return
        if other_hw:
            self.warnings.add(
                'pictures of another size than height and width: taken as resized',
                f'{name}: {image["path"]}')
        height, width = expected_hw if all(expected_hw) else _size_of(path)
        if len(points):
            self._unseen[camera] += not sees(points, image['cam2img'], image['lidar2cam'], (height, width))
        self._warn(odd_intrinsics(camera, image['cam2img'], width), name)
        if strengths is not None:
            picture, _ = decode(Path(path).read_bytes())
            scale = np.array([picture.shape[1] / width, picture.shape[0] / height, 1.0])[:, None]
            self._fits.setdefault(camera, HeadingFit()).add(
                points, strengths, picture, np.array(image['cam2img'], float) * scale,
                np.array(image['lidar2cam'], float))

    def _warn(self, found: Iterable[Odd], name: str) -> None:
        for odd in found:
            self.warnings.add(odd.what, f'{name}: {odd.where}')

    def _boxes_against(self, boxes: np.ndarray, points: np.ndarray, name: str) -> None:
        # Here a box begins at its bottom.
        boxes = boxes - np.array([0, 0, 0.5, 0, 0, 0, 0], np.float32) * boxes[:, 5:6]
        inside_boxes = points_in_boxes(points, boxes)
        for box, inside_box in zip(boxes, inside_boxes):
            self._points_in_boxes += len(inside_box)
            self._lower_points += int((points[inside_box, 2] < box[2] + LOWER * box[5]).sum())
        if not any(map(len, inside_boxes)):
            self.warnings.add('samples no box of which holds a point: are boxes and points in one frame, '
                              'z at the centre, length along x before width?', name)

    def report(self, samples: int) -> DataReport:
        """Returns what was found."""
        for camera, count in self._unseen.items():
            if count > self._cameras[camera] / 2:
                self.warnings.add(f'cameras that see no point in most samples: is lidar2cam of {camera} '
                                  'the camera from LiDAR coordinates (x right, y down, z ahead), and not '
                                  'its inverse?', camera)
        for camera, fits in self._fits.items():
            turn_deg = fits.turned_deg()
            if turn_deg is not None:
                self.warnings.add(
                    'cameras whose pictures fit the clouds much better when turned: edges of near objects '
                    'then lie on edges of the pictures, with lidar2cam they do not',
                    f'{camera}, by {abs(turn_deg):.0f} degrees to the {"right" if turn_deg > 0 else "left"}, '
                    f'in {fits.samples} records')
        if self._points_in_boxes >= FEW_POINTS and (self._lower_points < LEAST_LOWER * self._points_in_boxes):
            self.warnings.add('files whose boxes hold points in their upper part alone: is z that of the '
                              'bottom? expected that of the centre',
                              f'{self._lower_points} of {self._points_in_boxes} points in the lower part')
        wide = [name for name, counts in self._elongated.items()
                if counts[False] > counts[True] and counts[False] >= FEW_BOXES]
        if wide and not any(counts[True] >= counts[False] for counts in self._elongated.values()):
            self.warnings.add('classes whose boxes are wider than long, and none longer than wide: expected '
                              'length, width, height', ', '.join(wide))
        silent = [radar for radar, count in self._returns.items() if not count]
        if silent:
            self.warnings.add('radars without a return in the whole file', ', '.join(silent))
        absent_cameras = [name for name in self._wanted_cameras if not self._cameras[name]]
        if absent_cameras:
            self.warnings.add('cameras without a picture', ', '.join(absent_cameras))
        absent = [name for name in self._classes if not self._boxes[name]]
        if absent:
            self.warnings.add('classes without a box', ', '.join(absent))
        return DataReport(samples, dict(sorted(self._boxes.items())), dict(self._cameras),
                          self.mistakes.lines(), self.warnings.lines())


def _size_of(path: str) -> Sequence[int]:
    """The converter's look at a picture names its size only where it is another than expected."""
    return picture_file_facts(path, (1, 1))[1] or (1, 1)


def _counted(counts: Dict[str, int]) -> str:
    return ', '.join(f'{count} {name}' for name, count in counts.items()) or 'none'
