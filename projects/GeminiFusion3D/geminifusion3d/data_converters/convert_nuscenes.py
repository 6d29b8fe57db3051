"""The whole conversion: tables -> splits -> info records -> one info file per split.

Scenes are converted in parallel; the files appear together at the end or not at all, and their
bytes do not depend on the number of workers.
"""
import gc
import os
import pickle
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from nuscenes.nuscenes import NuScenes

from ..atomic import atomic_write
from ..nuscenes_facts import CLASS_NAMES
from ..errors import UserError
from ..folder_lock import locked_folder

from .nuscenes_infos import Info, scene_infos
from .nuscenes_splits import resolve_splits
from .nuscenes_tables import open_tables
from .parallel import map_with_progress
from .sensor_files import Problem, describe_problems, sensor_file_problem

INFO_VERSION = '1.1'
PICKLE_PROTOCOL = 4


def convert_nuscenes(root: Path, version: str, out_dir: Path, *, splits: Sequence[str] = (),
                     max_sweeps: int = 10, workers: int = 1) -> Dict[str, Path]:
    """Writes `nuscenes_infos_<split>.pkl` for every split.

    Args:
        root: the dataset's root.
        version: which tables, such as `v1.0-mini`.
        out_dir: where the info files go; created if needed.
        splits: names of splits; empty for all of the version's.
        max_sweeps: how many LiDAR sweeps before each keyframe to list.
        workers: number of processes.

    Returns:
        The path of the info file by split.

    Raises:
        UserError: if the tables, a split or sensor files are missing or damaged; nothing is
            written then.
    """
    if max_sweeps < 0 or workers < 1:
        raise UserError(f'got {max_sweeps} sweeps and {workers} workers; expected at least 0 '
                        'and 1')
    with _collector_at_rest():
        nusc = open_tables(root, version)
        scenes_by_split = resolve_splits(nusc, splits)
        tokens = list(dict.fromkeys(token for scenes in scenes_by_split.values() for token in scenes))
        infos_by_scene = _convert_scenes(nusc, tokens, max_sweeps, workers)
        return _write_splits(out_dir, version, {
            split: [info for token in scenes for info in infos_by_scene[token]]
            for split, scenes in scenes_by_split.items()})


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


def _convert_scenes(nusc: NuScenes, tokens: Sequence[str], max_sweeps: int,
                    workers: int) -> Dict[str, List[Info]]:
    """Converts each scene once and checks its files."""
    infos_by_scene: Dict[str, List[Info]] = {}
    problems: List[Problem] = []
    num_files = 0
    results = map_with_progress(_convert_scene, tokens, shared=(nusc, max_sweeps), workers=workers,
                                description='scenes')
    for (pickled, scene_problems, scene_files), token in zip(results, tokens):
        # Unpickling here makes a scene's objects its own for any number of workers: pickle writes an
        # object that occurs twice as a reference, so the file's bytes would show which process
        # built it.
        infos_by_scene[token] = pickle.loads(pickled)
        problems += scene_problems
        num_files += scene_files
    if problems:
        raise UserError(describe_problems(problems, num_files, Path(nusc.dataroot), nusc.version))
    return infos_by_scene


def _convert_scene(shared: Tuple[NuScenes, int], token: str) -> Tuple[bytes, List[Problem], int]:
    """Worker: one scene's records pickled, its files' problems, how many files it has."""
    nusc, max_sweeps = shared
    infos = scene_infos(nusc, token, max_sweeps)
    files = sorted({name for info in infos for name in _sensor_files(info)})
    scene_name = nusc.get('scene', token)['name']
    problems = [(problem, scene_name, name) for name in files
                if (problem := sensor_file_problem(os.path.join(nusc.dataroot, name)))]
    return pickle.dumps(infos, PICKLE_PROTOCOL), problems, len(files)


def _sensor_files(info: Info) -> Iterator[str]:
    yield info['lidar_points']['lidar_path']
    yield from (image['img_path'] for image in info['images'].values())
    yield from (sweep['lidar_points']['lidar_path'] for sweep in info['lidar_sweeps'])


def _write_splits(out_dir: Path, version: str,
                  infos_by_split: Dict[str, List[Info]]) -> Dict[str, Path]:
    """Writes every file under a temporary name first and renames them when all are complete."""
    paths = {split: out_dir / f'nuscenes_infos_{split}.pkl' for split in infos_by_split}
    with locked_folder(out_dir), ExitStack() as finished_together:
        for leftover in out_dir.glob('.nuscenes_infos_*.part'):
            leftover.unlink()
        for split, infos in infos_by_split.items():
            part = finished_together.enter_context(atomic_write(paths[split]))
            with part.open('wb') as file:
                pickle.dump(_info_file(version, split, infos), file, protocol=PICKLE_PROTOCOL)
                file.flush()
                os.fsync(file.fileno())
    return paths


def _info_file(version: str, split: str, infos: List[Info]) -> Dict[str, Any]:
    return {
        'metainfo': {
            'categories': {name: index for index, name in enumerate(CLASS_NAMES)},
            'dataset': 'nuscenes',
            'version': version,
            'split': split,
            'info_version': INFO_VERSION,
        },
        'data_list': [{'sample_idx': index, **info} for index, info in enumerate(infos)],
    }
