"""The whole conversion: tables -> splits -> info records -> one info file per split.

Scenes are converted in parallel; the files appear together at the end or not at all, and their
bytes do not depend on the number of workers.
"""
import gc
import os
import pickle
import zlib
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from nuscenes.eval.detection.utils import category_to_detection_name
from nuscenes.nuscenes import NuScenes

from ..atomic import atomic_write, locked_folder
from ..errors import UserError
from ..info_file import info_file_name, is_own_info_file, write_info_file
from ..nuscenes_facts import CAMERA_NAMES, CLASS_NAMES
from ..point_files import point_file_problem, read_point_file, without_absurd
from ..radar_files import radar_file_problem
from .findings import Findings
from .instance_infos import CAR
from .nuscenes_infos import Info, scene_infos
from .nuscenes_tables import get_row, open_tables, resolve_splits
from .parallel import map_with_progress
from .sensor_files import Problem, describe_problems, picture_file_facts

PICKLE_PROTOCOL = 4
# Of the LiDAR, and of each radar.
Sweeps = Tuple[int, Optional[int]]


def convert_nuscenes(root: Path, version: str, out_dir: Path, *, splits: Sequence[str] = (),
                     max_sweeps: int = 10, radar_sweeps: Optional[int] = None, workers: int = 1,
                     mark_damaged: bool = False, reads_all: bool = False,
                     reads_up_to: int = 0) -> Dict[str, Path]:
    """Writes `geminifusion3d_infos_<split>.pkl` for every split.

    Prints how many boxes of which class there are, and what was left out or masked and why.

    Args:
        root: the dataset's root.
        version: which tables, such as `v1.0-mini`.
        out_dir: where the info files go; created if needed.
        splits: names of splits; empty for all of the version's.
        max_sweeps: how many LiDAR sweeps before each keyframe to list.
        radar_sweeps: how many sweeps of each radar before each keyframe to list beside its own; None: leave
            the radars out.
        workers: number of processes.
        mark_damaged: go on without damaged files: pictures are missing sensors, sweeps and keyframes
            without a LiDAR file are left out.
        reads_all: decode each picture and read each sweep too, which finds damage in their middle, and write
            down the check sum of each, which loading verifies.
        reads_up_to: do so where the tables list at most so many keyframes, too.

    Returns:
        The path of the info file by split.

    Raises:
        UserError: if the tables, a split or sensor files are missing or damaged, nothing is left, or a file
            is in the way that this project did not write; nothing is written then.
    """
    if min(max_sweeps, radar_sweeps or 0) < 0 or workers < 1:
        raise UserError(f'got {max_sweeps} sweeps, {radar_sweeps or 0} of the radars, and {workers} workers; '
                        'expected at least 0 and 1')
    with _collector_at_rest():
        nusc = open_tables(root, version, with_radars=radar_sweeps is not None)
        with _garbled_rows(nusc, 'the table scene'):
            scenes_by_split = resolve_splits(nusc, splits)
        reads_all = reads_all or len(nusc.sample) <= reads_up_to
        tokens = list(dict.fromkeys(token for scenes in scenes_by_split.values() for token in scenes))
        pickled_by_scene, findings = _convert_scenes(
            nusc, tokens, (max_sweeps, radar_sweeps), workers, mark_damaged, reads_all)
        by_split = {split: [pickled_by_scene[token] for token in scenes if token in pickled_by_scene]
                    for split, scenes in scenes_by_split.items()}
        for split, scenes in by_split.items():
            if not scenes:
                raise UserError(f'no keyframe of split {split!r} can be used: {"; ".join(findings.lines())}')
        for name in CAMERA_NAMES:
            if findings.pictures[name] and not findings.pictures[name, 'usable']:
                raise UserError(f'no picture of {name} can be used: {"; ".join(findings.lines())}')
        paths = _write_splits(out_dir, version, by_split, (max_sweeps, radar_sweeps))
    print('\n'.join([_describe_boxes(findings), *findings.lines()]))
    return paths


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Rows by the million, none of them garbage: looking for some takes as long as all the work."""
    was_at_work = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_at_work:
            gc.enable()


@contextmanager
def _garbled_rows(nusc: NuScenes, where: str) -> Iterator[None]:
    """Says in a sentence that a row is not as the schema of nuScenes has it."""
    try:
        yield
    except UserError as error:
        raise UserError(f'{where}: {error}') from error
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise UserError(f'{where}: a row of the tables in {nusc.dataroot}/{nusc.version} lacks a field or '
                        f'holds something else there ({error!r}); compare it with the schema of nuScenes and '
                        'mend it'
                        ) from error


def _convert_scenes(nusc: NuScenes, tokens: Sequence[str], sweeps: Sweeps, workers: int,
                    mark_damaged: bool, reads_all: bool) -> Tuple[Dict[str, bytes], Findings]:
    """Converts each scene once and checks its files; scenes without a record are left out."""
    pickled_by_scene: Dict[str, bytes] = {}
    findings = Findings()
    problems: List[Problem] = []
    num_files = 0
    results = map_with_progress(_convert_scene, tokens, shared=(nusc, sweeps, mark_damaged, reads_all),
                                workers=workers, description='scenes')
    for (pickled, scene_findings, scene_problems, scene_files), token in zip(results, tokens):
        # Pickled, all scenes take a seventh of the memory.
        if pickled:
            pickled_by_scene[token] = pickled
        findings.merge(scene_findings)
        problems += scene_problems
        num_files += scene_files
    if problems and not mark_damaged:
        raise UserError(describe_problems(problems, num_files, Path(nusc.dataroot), nusc.version))
    for kind, _, name in problems:
        findings.add(f'files marked as missing: {kind}', name)
    return pickled_by_scene, findings


def _convert_scene(shared: Tuple[NuScenes, Sweeps, bool, bool], token: str
                   ) -> Tuple[bytes, Findings, List[Problem], int]:
    """Worker: one scene's records pickled, what was left out, its files' problems, how many files it has."""
    nusc, (max_sweeps, radar_sweeps), mark_damaged, reads_all = shared
    findings = Findings()
    scene_name = str(get_row(nusc, 'scene', token).get('name', token))
    with _garbled_rows(nusc, scene_name):
        infos = scene_infos(nusc, token, max_sweeps, findings, radar_sweeps)
    checked = _FileCheck(nusc.dataroot, scene_name, findings, reads_all)
    infos = [info for info in infos if checked.is_usable(info) or not mark_damaged]
    pickled = pickle.dumps(infos, PICKLE_PROTOCOL) if infos else b''
    return pickled, findings, checked.problems, checked.num_files


class _FileCheck:
    """Looks at each file of a scene once; takes out of the records what cannot be used."""

    def __init__(self, root: str, scene_name: str, findings: Findings, reads_all: bool) -> None:
        self._root, self._scene_name, self._findings, self._reads_all = root, scene_name, findings, reads_all
        self._usable: Dict[str, bool] = {}
        self._sums: Dict[str, int] = {}
        self.problems: List[Problem] = []

    @property
    def num_files(self) -> int:
        """Returns how many files were looked at."""
        return len(self._usable)

    def is_usable(self, info: Info) -> bool:
        """Checks the files of one record; says whether its keyframe has a LiDAR file."""
        for image in info['images'].values():
            if image['img_path'] is not None and not self._is_whole(image['img_path'], image):
                image['img_path'] = None
        info['lidar_sweeps'] = [sweep for sweep in info['lidar_sweeps']
                                if self._is_whole(sweep['lidar_points']['lidar_path'], sweep['lidar_points'])]
        info.update({'radars': {
            name: [shot for shot in shots if self._is_whole(shot['radar_path'], shot)]
            for name, shots in info['radars'].items()}} if 'radars' in info else {})
        return self._is_whole(info['lidar_points']['lidar_path'], info['lidar_points'])

    def _is_whole(self, name: str, record: Info) -> bool:
        if name not in self._usable:
            path = os.path.join(self._root, name)
            problem, other_hw = (
                picture_file_facts(path, (record['height'], record['width']), decodes=self._reads_all)
                if 'img_path' in record else (self._cloud_problem(path, name), None))
            self._usable[name] = problem is None
            if problem:
                self.problems.append((problem, self._scene_name, name))
            elif other_hw:
                self._findings.add(f'pictures of {other_hw[1]}x{other_hw[0]} where the tables say '
                                   f'{record["width"]}x{record["height"]}: taken as resized, the calibration '
                                   'is scaled with them', name)
            if self._reads_all and not problem:
                self._sums[name] = zlib.crc32(Path(path).read_bytes())
        if name in self._sums:
            record['crc32'] = self._sums[name]
        return self._usable[name]

    def _cloud_problem(self, path: str, name: str) -> Optional[str]:
        """Says what is wrong with a sweep; on request reads it, for points that a LiDAR measures."""
        if path.endswith('.pcd'):
            return radar_file_problem(path)
        problem = point_file_problem(path)
        if problem or not self._reads_all:
            return problem
        sound, num_dropped = without_absurd(read_point_file(path))
        if num_dropped:
            self._findings.add('LiDAR files with points that loading drops: not finite, too far, too strong',
                               name)
        return None if len(sound) else 'without a sound point'


def _describe_boxes(findings: Findings) -> str:
    """Says in a line how many boxes of which class there are, and which categories have no class."""
    by_class = {name: 0 for name in CLASS_NAMES}
    others = {}
    for category, count in sorted(findings.boxes.items()):
        name = category_to_detection_name(category)
        if name is None:
            others[category] = count
        else:
            by_class[name] += count
    line = 'boxes by class: ' + ', '.join(f'{count} {name}' for name, count in by_class.items())
    if others:
        line += '; of categories without a class: ' + \
            ', '.join(f'{count} {name}' for name, count in others.items())
    if findings.wide_cars > findings.boxes[CAR] / 2:
        line += (f'\nwarning: {findings.wide_cars} of {findings.boxes[CAR]} cars are wider than long; '
                 'expected width, length, height as the size of an annotation')
    if others and not any(by_class.values()):
        line += ('\nwarning: no box belongs to a detection class of nuScenes; to train on these '
                 'categories, name them '
                 "with metainfo=dict(classes=...) of the dataset")
    return line


def _write_splits(out_dir: Path, version: str, scenes_by_split: Dict[str, List[bytes]], sweeps: Sweeps
                  ) -> Dict[str, Path]:
    """Writes every file under a temporary name first and renames them when all are complete."""
    paths = {split: out_dir / info_file_name(split) for split in scenes_by_split}
    with locked_folder(out_dir), ExitStack() as finished_together:
        for path in paths.values():
            if path.exists() and not is_own_info_file(path):
                raise UserError(
                    f'{path} was not written by this project; move it away or give another --out')
        for split, scenes in scenes_by_split.items():
            part = finished_together.enter_context(atomic_write(paths[split]))
            with part.open('wb') as file:
                write_info_file(file, {
                    'categories': {name: index for index, name in enumerate(CLASS_NAMES)},
                    'dataset': 'nuscenes', 'version': version, 'split': split,
                    'max_sweeps': sweeps[0], 'radar_sweeps': sweeps[1],
                }, ({'sample_idx': index, **info} for index, info in enumerate(
                    # Unpickling makes a scene's objects its own for any number of workers: pickle writes
                    # an object that occurs twice as a reference, so the file's bytes would show which
                    # process built it.
                    info for pickled in scenes for info in pickle.loads(pickled))))
    return paths
