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

Ground-truth sampling (SECOND, Sensors 2018): objects of other keyframes are pasted into a cloud. Same recipe
as mmdet3d v1.4.0 `ObjectSample` with `DataBaseSampler` (fill every class up to a number, skip what would
collide, clear the space). The delta: the draw depends on the sample's seed alone (mmdet3d's sampler walks
through a list of its own in every worker), the database is mapped arrays instead of a pickle and a million
files, a database of another number of sweeps is refused, and sampling ends at an epoch without restarting
the workers, after a resumption too.
"""
import json
import zlib
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS

from ..atomic import SEAL, unsealed, write_json
from ..check_sums import file_sum
from ..errors import UserError
from ..geometry.boxes import boxes_overlap, points_in_boxes
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


# Those of CBGS (arXiv 1908.09492), and of mmdet3d v1.4.0's CenterPoint and BEVFusion configs.
PUBLISHED_NUMBERS = dict(car=2, truck=3, construction_vehicle=7, bus=4, trailer=6, barrier=2,
                         motorcycle=6, bicycle=6, pedestrian=2, traffic_cone=2)


@TRANSFORMS.register_module()
class GeminiSampleObjects(BaseTransform):
    """Pastes objects, where they once stood, into `points`, `gt_bboxes_3d` and `gt_labels_3d`.

    For LiDAR-only training: cameras would not show what was pasted. Place it behind
    LoadAnnotations3D and before GeminiAugmentScene.

    Args:
        database: folder of the ground-truth database.
        sweeps_num: how many sweeps the pipeline reads; the database must have read as many.
        numbers: up to how many objects of each class a sample is filled.
        min_points: objects with fewer points are not pasted.
        until_epoch: the first epoch without sampling, None for never: at the end a model should see
            what real scenes look like.
        classes: the classes in the order of the labels.
    """

    def __init__(self, *, database: str, sweeps_num: int, numbers: Optional[Dict[str, int]] = None,
                 min_points: int = 5, until_epoch: Optional[int] = None,
                 classes: Sequence[str] = CLASS_NAMES) -> None:
        self.numbers = dict(PUBLISHED_NUMBERS if numbers is None else numbers)
        unknown = sorted(set(self.numbers) - set(classes))
        if unknown:
            raise ValueError(f'got numbers for {", ".join(unknown)}; expected some of {", ".join(classes)}')
        self.folder = Path(database)
        self.sweeps_num = sweeps_num
        self.min_points = min_points
        self.until_epoch = until_epoch
        self.label_of = {name: label for label, name in enumerate(classes)}
        self._database: Optional[ObjectDatabase] = None
        self._candidates: Dict[str, np.ndarray] = {}

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Pastes objects.

        Args:
            results: holds `points`, `gt_bboxes_3d`, `gt_labels_3d`, `lidar_aug_matrix` and `epoch`.

        Raises:
            ValueError: if the step stands at the wrong place of the pipeline.
            UserError: if the database is missing, damaged or of another number of sweeps.
        """
        _check_place(results)
        # A cloud without points is a missing LiDAR, which sees no pasted object either.
        is_over = self.until_epoch is not None and results['epoch'] >= self.until_epoch
        if is_over or len(results['points']) == 0:
            return results
        self._open()
        chosen = self._choose(results['gt_bboxes_3d'].numpy(), results['gt_labels_3d'])
        return self._paste(results, chosen) if chosen else results

    def sample_record(self) -> SampleRecord:
        """Returns which samples the objects were cut from."""
        return database_samples(self.folder)

    def _open(self) -> None:
        """Opens the database when first used, in the process that uses it."""
        if self._database is not None:
            return
        database = ObjectDatabase(self.folder)
        if database.metainfo['sweeps_num'] != self.sweeps_num:
            raise UserError(f'{self.folder} holds points of {database.metainfo["sweeps_num"]} sweeps before '
                            f'each keyframe, the pipeline reads {self.sweeps_num}; build it again with '
                            f'--database-sweeps {self.sweeps_num}')
        self._candidates = {name: np.flatnonzero(database.num_points(name) >= self.min_points)
                            for name in self.numbers}
        self._database = database

    def _choose(self, gt_boxes: np.ndarray, gt_labels: np.ndarray) -> List[Tuple[str, int]]:
        """Draws objects that stand free of the sample's boxes and of each other."""
        taken, chosen = gt_boxes, []
        for name, number in self.numbers.items():
            candidates = self._candidates[name]
            wanted = max(0, number - int((gt_labels == self.label_of[name]).sum()))
            if len(candidates) == 0 or wanted == 0:
                continue
            # An object that is drawn twice stands in its own way.
            for index in candidates[np.random.randint(len(candidates), size=wanted)]:
                box = self._database.boxes(name)[index:index + 1]
                if not boxes_overlap(box, taken).any():
                    taken = np.concatenate([taken, box])
                    chosen.append((name, int(index)))
        return chosen

    def _paste(self, results: Dict[str, Any], chosen: List[Tuple[str, int]]) -> Dict[str, Any]:
        """Clears the space of the chosen objects and puts them there."""
        boxes = np.stack([self._database.boxes(name)[index] for name, index in chosen])
        pasted = np.concatenate([self._database.points(name, index) for name, index in chosen])
        labels = [self.label_of[name] for name, _ in chosen]
        points, gt_boxes = results['points'], results['gt_bboxes_3d']
        is_kept = np.ones(len(points), dtype=bool)
        is_kept[np.concatenate(points_in_boxes(points.tensor[:, :3].numpy(), boxes))] = False
        scene = points.tensor[torch.from_numpy(is_kept)]
        return {
            **results,
            'points': points.new_point(torch.cat([scene, torch.from_numpy(pasted)])),
            'gt_bboxes_3d': gt_boxes.new_box(torch.cat([gt_boxes.tensor, torch.from_numpy(boxes)])),
            'gt_labels_3d': np.concatenate([results['gt_labels_3d'], labels]).astype(np.int64),
        }


def _check_place(results: Dict[str, Any]) -> None:
    if 'img' in results:
        raise ValueError('GeminiSampleObjects got a sample with images, which would not show the pasted '
                         'objects; leave it to LiDAR-only recipes')
    if 'gt_bboxes_3d' not in results or not np.array_equal(results['lidar_aug_matrix'], np.eye(4)):
        raise ValueError('GeminiSampleObjects pastes objects where they once stood; place it behind '
                         'LoadAnnotations3D and before GeminiAugmentScene')
