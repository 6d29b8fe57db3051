"""Which samples a split has and where the ego vehicle was, read straight from the tables.

Used by the validator, which needs neither sensor files nor annotations. Split names mean what they
mean to the devkit (`nuscenes.utils.splits`): official ones, or any name in
`<dataroot>/<version>/splits.json`. The tables are read row by row, and of the large ones only LIDAR_TOP
keyframes are held: those of v1.0-trainval take two gigabytes.
"""
import ast
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Set, Tuple, TypeVar, Union

from ..check_sums import warn_if_changed
from ..errors import UserError
from .json_stream import JsonReader

Row = Dict[str, Any]
Collected = TypeVar('Collected')
Entry = TypeVar('Entry')

# What the devkit's evaluation accepts for versions that end so (eval/common/loaders.py).
OFFICIAL_SPLITS: Dict[str, Tuple[str, ...]] = {
    'mini': ('mini_train', 'mini_val'),
    'trainval': ('train', 'val', 'train_detect', 'train_track'),
    'test': ('test', ),
}
_SCENES = {'mini_train': 8, 'mini_val': 2, 'train': 700, 'val': 150, 'train_detect': 350, 'train_track': 350,
           'test': 150}


@dataclass(frozen=True)
class SplitSamples:
    """The samples of one split.

    Attributes:
        version: e.g. v1.0-mini.
        split: official or custom name.
        ego_xy_global_m: position of the ego vehicle at LiDAR time by sample token.
    """

    version: str
    split: str
    ego_xy_global_m: Mapping[str, Tuple[float, float]]


def read_split_samples(*, data_root: Union[str, Path], version: str, split: str) -> SplitSamples:
    """Reads the samples of a split.

    Args:
        data_root: folder of the dataset.
        version: for example v1.0-mini, the name of the folder of the tables.
        split: official or custom name.

    Returns:
        The samples with the ego vehicle's position at each.

    Raises:
        UserError: if the dataset, the version, a table or the split does not exist.
    """
    tables = tables_folder(data_root, version)
    names = scene_names(tables, version, split)
    scene_tokens = _read(tables, 'scene', lambda rows: {row['token'] for row in rows if row['name'] in names})
    sample_tokens = _read(tables, 'sample', lambda rows: [
        row['token'] for row in rows if row['scene_token'] in scene_tokens])
    if not sample_tokens:
        raise UserError(f'{tables} holds no sample of split {split!r}; was the dataset downloaded '
                        'and unpacked whole?')
    positions = _ego_positions(tables, set(sample_tokens))
    missing = [token for token in sample_tokens if token not in positions]
    if missing:
        raise UserError(f'{tables} has no LIDAR_TOP keyframe for sample {missing[0]}; the tables '
                        'do not belong together, unpack them again')
    return SplitSamples(version=version, split=split, ego_xy_global_m=positions)


def tables_folder(data_root: Union[str, Path], version: str) -> Path:
    """Returns the folder that holds the tables of a version.

    Args:
        data_root: folder of the dataset.
        version: the name of a folder in it; it may come from an info file, so it leads nowhere else.

    Returns:
        `<data_root>/<version>`.

    Raises:
        UserError: if there is no such folder, or the version is no name of one.
    """
    folder = Path(data_root) / version
    if version in ('', '..') or Path(version).name != version or not folder.is_dir():
        raise UserError(f'{data_root} has no folder {version}; give the folder that holds the tables of '
                        f'{version} with --dataroot')
    return folder


@lru_cache(maxsize=1)
def official_splits() -> Mapping[str, Tuple[str, ...]]:
    """Returns the scene names of the official splits.

    They stand as lists in the devkit's `utils/splits.py`, which is read, not imported: importing the devkit
    takes seconds.

    Returns:
        The names of the scenes of each split: train, val, test, mini_train, mini_val, train_detect,
        train_track.

    Raises:
        UserError: if the devkit is not installed or is another one.
    """
    devkit = find_spec('nuscenes')
    path = Path(devkit.origin).with_name('utils') / 'splits.py' if devkit and devkit.origin else None
    if path is None or not path.is_file():
        raise UserError('the nuscenes-devkit is not installed; pip install nuscenes-devkit==1.2.0')
    lists = {str(statement.targets[0].id): tuple(ast.literal_eval(statement.value))
             for statement in ast.parse(path.read_text()).body
             if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
             and isinstance(statement.value, ast.List)}
    lists['train'] = tuple(sorted({*lists.get('train_detect', ()), *lists.get('train_track', ())}))
    sizes = {split: len(lists.get(split, ())) for splits in OFFICIAL_SPLITS.values() for split in splits}
    if sizes != _SCENES:
        raise UserError(f'{path} lists splits of {sizes} scenes, expected {_SCENES}; pip install '
                        'nuscenes-devkit==1.2.0')
    return {split: lists[split] for split in sizes}


def read_custom_splits(tables: Path) -> Dict[str, List[str]]:
    """Returns the scene names of the custom splits in a version's splits.json, if it has one.

    Args:
        tables: folder of the version.

    Raises:
        UserError: if the file is broken.
    """
    path = tables / 'splits.json'
    try:
        custom = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f'{path} is no JSON ({error}); expected {{"SPLIT": ["scene-0001", ...]}}') from None
    if not isinstance(custom, dict) or not all(
            isinstance(names, list) and all(isinstance(name, str) for name in names)
            for names in custom.values()):
        raise UserError(f'{path} does not map split names to lists of scene names; expected '
                        '{"SPLIT": ["scene-0001", ...]}')
    return custom


def of_version(table: Mapping[str, Entry], version: str, default: Entry) -> Entry:
    """Returns the entry of the ending that a version has."""
    return next((entry for ending, entry in table.items() if version.endswith(ending)), default)


def scene_names(tables: Path, version: str, split: str) -> Set[str]:
    """Returns the names of the scenes in a split.

    Args:
        tables: folder of the version.
        version: its name.
        split: official or custom.

    Raises:
        UserError: if there is no such split.
    """
    official = of_version(OFFICIAL_SPLITS, version, ())
    predefined = official_splits()
    if split in official:
        return set(predefined[split])
    custom = read_custom_splits(tables)
    if split in predefined or split not in custom:
        raise UserError(f'split {split!r} does not exist in {tables}; expected one of '
                        f'{", ".join([*official, *sorted(custom)])}')
    return set(custom[split])


def _ego_positions(tables: Path, sample_tokens: Set[str]) -> Dict[str, Tuple[float, float]]:
    """Returns where the ego vehicle was at the LIDAR_TOP keyframe of each sample."""
    lidar_tokens = _read(tables, 'sensor', lambda rows: {
        row['token'] for row in rows if row['channel'] == 'LIDAR_TOP'})
    calibrations = _read(tables, 'calibrated_sensor', lambda rows: {
        row['token'] for row in rows if row['sensor_token'] in lidar_tokens})
    sample_of_pose = _read(tables, 'sample_data', lambda rows: {
        row['ego_pose_token']: row['sample_token'] for row in rows
        if row['is_key_frame'] and row['calibrated_sensor_token'] in calibrations
        and row['sample_token'] in sample_tokens})
    return _read(tables, 'ego_pose', lambda rows: {
        sample_of_pose[row['token']]: (row['translation'][0], row['translation'][1]) for row in rows
        if row['token'] in sample_of_pose})


def _read(tables: Path, name: str, collect: Callable[[Iterator[Row]], Collected]) -> Collected:
    """Hands the rows of a table to `collect`, one at a time, and returns what that returns."""
    path = tables / f'{name}.json'
    try:
        warn_if_changed(path)
        with path.open('rb') as stream:
            return collect(JsonReader(stream).elements())
    except FileNotFoundError:
        raise UserError(f'{path} does not exist; unpack the tables of this version again') from None
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror}); give a dataset that you may read'
                        ) from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f'{path} is not a nuScenes table ({error!r}); unpack the tables of this '
                        'version again') from None
