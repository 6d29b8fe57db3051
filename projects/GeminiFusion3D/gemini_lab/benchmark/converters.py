"""Who turns nuScenes tables into info files and a ground-truth database: this project, and mmdet3d.

mmdet3d's is `tools/create_data.py nuscenes` of mmdet3d 1.4.0 as its wheel brings it, function by function:
records from the tables; the records of each split rewritten to the layout that its datasets read, with
two-dimensional boxes; the points of every object, a file each. It opens the tables for the first and for each
split of the second.
"""
import os
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import mmdet3d
import numpy as np

from geminifusion3d.errors import UserError

from .own_process import seconds_in_own_process

OURS = 'this project'
INFOS, DATABASE = 'info files', 'ground-truth database'
# mmdet3d's number for both; ours reads as many here.
SWEEPS = 10
# Its second step looks there, whatever it is told.
THEIR_ROOT = Path('data/nuscenes')
SPLITS = {'v1.0-mini': ('mini_train', 'mini_val'), 'v1.0-trainval': ('train', 'val')}


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """One contestant.

    Attributes:
        name: of the contestant.
        work: INFOS or DATABASE.
        folder: where it runs and writes.
        prepare: called before every timing.
        call: does the work.
        includes: what a call includes, in words.
        workers: processes.
    """

    name: str
    work: str
    folder: Path
    prepare: Callable[[], Any]
    call: Callable[[], Any]
    includes: str
    workers: int = 1


def our_conversions(root: Path, version: str, folder: Path, workers: List[int]) -> List[Conversion]:
    """Returns this project's conversions, for each number of processes.

    Args:
        root: the dataset.
        version: its tables.
        folder: where to work; holds the info files afterwards.
        workers: numbers of processes.
    """
    from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
    from geminifusion3d.data_converters.gt_database import build_gt_database
    training, _ = SPLITS[version]
    info_file = convert_nuscenes(root, version, folder / 'infos')[training]
    out = folder / 'out'
    found = []
    for number in workers:
        name = OURS if number == 1 else f'{OURS}, {number} processes'
        fresh = dict(name=name, folder=folder, workers=number, prepare=partial(_remove, out))
        found.append(Conversion(
            work=INFOS, call=partial(convert_nuscenes, root, version, out, max_sweeps=SWEEPS, workers=number),
            includes='reading the tables, checking that every sensor file is whole, writing', **fresh))
        found.append(Conversion(
            work=DATABASE, call=partial(build_gt_database, info_file, root, out, sweeps_num=SWEEPS,
                                        workers=number),
            includes=f'reading the info file and {SWEEPS} sweeps a keyframe, writing', **fresh))
    return found


def their_conversions(root: Path, version: str, folder: Path) -> List[Conversion]:
    """Returns mmdet3d's conversions; what its first two steps leave is there for its third.

    Args:
        root: the dataset, which is linked to, because mmdet3d writes beside its tables.
        version: its tables.
        folder: where to work.
    """
    theirs = folder / THEIR_ROOT
    theirs.mkdir(parents=True)
    for name in ('samples', 'sweeps', 'maps', version):
        (theirs / name).symlink_to(root.resolve() / name)
    functions = _their_functions()
    records = partial(functions['create_nuscenes_infos'], str(THEIR_ROOT), 'nuscenes', version=version,
                      max_sweeps=SWEEPS)
    database = partial(functions['create_groundtruth_database'], 'NuScenesDataset', str(THEIR_ROOT),
                       'nuscenes', 'nuscenes_infos_train.pkl')
    infos = partial(_records_and_layout, records, functions['update_pkl_infos'])
    return [
        Conversion(name='mmdet3d, records alone', work=INFOS, folder=folder, prepare=_nothing, call=records,
                   includes='reading the tables once, writing; its datasets do not read the result'),
        Conversion(name='mmdet3d', work=INFOS, folder=folder, prepare=_nothing, call=infos,
                   includes='reading the tables three times, two-dimensional boxes, writing'),
        Conversion(name='mmdet3d', work=DATABASE, folder=folder, call=database,
                   prepare=partial(_make_ready, theirs, infos, folder),
                   includes=f'reading the info file and {SWEEPS} sweeps a keyframe, writing'),
    ]


def _records_and_layout(records: Callable[[], None], update_pkl_infos: Callable[..., None]) -> None:
    records()
    for split in ('train', 'val'):
        update_pkl_infos('nuscenes', out_dir=str(THEIR_ROOT),
                         pkl_path=str(THEIR_ROOT / f'nuscenes_infos_{split}.pkl'))


def _their_functions() -> Dict[str, Callable[..., Any]]:
    """Imports mmdet3d's tools, and has numba compile what it will."""
    sys.path.insert(0, os.path.join(mmdet3d.__path__[0], '.mim'))
    try:
        from mmdet3d.structures.ops import box_np_ops
        from mmdet3d.utils import register_all_modules

        from tools.dataset_converters.create_gt_database import create_groundtruth_database
        from tools.dataset_converters.nuscenes_converter import create_nuscenes_infos
        from tools.dataset_converters.update_infos_to_v2 import update_pkl_infos
    except ImportError as error:
        raise UserError(f'the installed mmdet3d {mmdet3d.__version__} has no tools/dataset_converters that '
                        f'can be imported ({error}); install mmdet3d==1.4.0 from its wheel') from error
    finally:
        sys.path.pop(0)
    register_all_modules()
    box_np_ops.points_in_rbbox(np.zeros((1, 5), np.float32), np.ones((1, 9), np.float32))
    return dict(create_nuscenes_infos=create_nuscenes_infos, update_pkl_infos=update_pkl_infos,
                create_groundtruth_database=create_groundtruth_database)


def _make_ready(theirs: Path, infos: Callable[[], None], folder: Path) -> None:
    """Makes the info files that mmdet3d's database starts from, unless they are there."""
    _remove(theirs / 'nuscenes_gt_database')
    if not (theirs / 'nuscenes_infos_train.pkl').exists():
        seconds_in_own_process(infos, folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _nothing() -> None:
    """What mmdet3d writes here, it writes again."""
