"""Which samples a split has and where the ego vehicle was, read straight from the tables.

Used by the validator, which needs neither sensor files nor annotations. Split names mean what they
mean to the devkit (`nuscenes.utils.splits`): official ones, or any name in
`<dataroot>/<version>/splits.json`. The tables are read row by row, and of the large ones only LIDAR_TOP
keyframes are kept: those of v1.0-trainval hold two gigabytes.
"""
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Set, Tuple, TypeVar, Union

from nuscenes.utils.splits import create_splits_scenes

from ..errors import UserError
from .json_stream import JsonReader

Row = Dict[str, Any]
Kept = TypeVar('Kept')

# What the devkit's evaluation accepts for versions that end so (eval/common/loaders.py).
OFFICIAL_SPLITS: Dict[str, Tuple[str, ...]] = {
    'mini': ('mini_train', 'mini_val'),
    'trainval': ('train', 'val', 'train_detect', 'train_track'),
    'test': ('test', ),
}


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

    Raises:
        UserError: if the dataset, the version, a table or the split does not exist.
    """
    tables = Path(data_root) / version
    if not tables.is_dir():
        raise UserError(f'{data_root} has no folder {version}; give the folder that holds the '
                        f'tables of {version} with --dataroot')
    scene_names = _scene_names(tables, version, split)
    scene_tokens = _read(tables, 'scene', lambda rows: {
        row['token'] for row in rows if row['name'] in scene_names})
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


def read_custom_splits(tables: Path) -> Dict[str, List[str]]:
    """Returns the scene names of the custom splits in a version's splits.json, if it has one."""
    path = tables / 'splits.json'
    try:
        custom = json.loads(path.read_bytes()) if path.is_file() else {}
    except ValueError as error:
        raise UserError(f'{path} is not JSON ({error}); expected {{"NAME": ["scene-0001", ...]}}'
                        ) from None
    if not isinstance(custom, dict) or not all(isinstance(v, list) for v in custom.values()):
        raise UserError(f'{path} does not map split names to lists of scene names; expected '
                        '{"NAME": ["scene-0001", ...]}')
    return custom


def _scene_names(tables: Path, version: str, split: str) -> Set[str]:
    """Returns the names of the scenes in a split."""
    official = next((names for ending, names in OFFICIAL_SPLITS.items()
                     if version.endswith(ending)), ())
    predefined = create_splits_scenes()
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


def _read(tables: Path, name: str, collect: Callable[[Iterator[Row]], Kept]) -> Kept:
    """Hands the rows of a table to `collect`, one at a time, and returns what it kept."""
    path = tables / f'{name}.json'
    try:
        with path.open('rb') as stream:
            return collect(JsonReader(stream).elements())
    except FileNotFoundError:
        raise UserError(f'{path} does not exist; unpack the tables of this version again'
                        ) from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f'{path} is not a nuScenes table ({error!r}); unpack the tables of this '
                        'version again') from None
