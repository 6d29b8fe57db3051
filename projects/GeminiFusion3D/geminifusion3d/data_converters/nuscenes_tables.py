"""First steps of the conversion: opens the tables of a version, or says clearly why not; its splits.

The tables are read by the official devkit; everything it would answer with an assertion or a KeyError is
looked at first.

A split's name means what it means to the devkit (`nuscenes.utils.splits`): official names come from its
lists, any other name from `<root>/<version>/splits.json`. A scene that no split names is in no split:
mmdet3d's converter puts it into `val`.
"""
import json
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

from nuscenes.nuscenes import NuScenes

from ..errors import UserError
from ..needed_tables import NeededTables
from ..paths import checked_relative_path
from ..submission.json_stream import NotJson
from ..submission.split_samples import OFFICIAL_SPLITS, of_version, official_splits, read_custom_splits

TABLES = ('attribute', 'calibrated_sensor', 'category', 'ego_pose', 'instance', 'log', 'map',
          'sample', 'sample_annotation', 'sample_data', 'scene', 'sensor', 'visibility')


def open_tables(root: Path, version: str, with_radars: bool = False) -> NuScenes:
    """Opens the 13 tables of a version with the devkit, without pictures between keyframes.

    Args:
        root: the dataset's root, which holds `samples`, `sweeps`, `maps` and one folder per
            version.
        version: name of the tables' folder, such as `v1.0-mini`.
        with_radars: hold the rows of the radars too, of which there are many.

    Raises:
        UserError: if the root, the version, a table or a map is missing or damaged.
    """
    _check_version(root, version)
    missing = [f'{table}.json' for table in TABLES if not (root / version / f'{table}.json').is_file()]
    if missing:
        raise UserError(f'{root / version} lacks {len(missing)} of the 13 tables: '
                        f'{", ".join(missing)}; unpack the metadata archive of this version again')
    _check_maps(root, version)
    again = f'the tables in {root / version}: mend them, or unpack the metadata archive of this version again'
    try:
        return NeededTables(root, version, with_sweeps=True, with_radars=with_radars)
    except NotJson as error:
        raise UserError(f'a table is no whole JSON file ({error}) among {again}') from error
    except OSError as error:
        raise UserError(f'{error.filename} cannot be read ({error.strerror})') from error
    except (KeyError, AssertionError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise UserError(
            f'the tables do not fit together: the devkit stopped at {error!r} in {again}') from error


def get_row(nusc: NuScenes, table: str, token: str) -> Dict[str, Any]:
    """Returns a row of a table by its token; UserError if it is not there, as in tables cut by hand."""
    try:
        return nusc.get(table, token)
    except (KeyError, TypeError) as error:
        raise UserError(f'the table {table} of {nusc.dataroot}/{nusc.version} has no row {token!r}, which '
                        "another table names; cut all 13 tables together and end chains (prev, next) with '' "
                        'or unpack the metadata archive again') from error


def known_versions(root: Path) -> List[str]:
    """Names the folders of `root` that hold tables."""
    return sorted(table.parent.name for table in root.glob('*/sample.json'))


def _check_version(root: Path, version: str) -> None:
    if not root.is_dir():
        raise UserError(f'the data root {root} is no folder; give the folder that holds samples/ '
                        'and v1.0-*/ with --dataroot')
    if not re.fullmatch(r'[\w.-]+', version) or not (root / version).is_dir():
        found = ', '.join(known_versions(root)) or 'none'
        raise UserError(f'version {version!r} is not in {root}; expected one of its folders with '
                        f'tables (found: {found})')


def _check_maps(root: Path, version: str) -> None:
    try:
        maps = json.loads((root / version / 'map.json').read_text())
        names = [record['filename'] for record in maps]
    except (ValueError, KeyError, TypeError, RecursionError, OSError) as error:
        raise UserError(f'{root / version / "map.json"} is no whole table of maps ({error!r}); unpack '
                        'the metadata archive of this version again') from error
    missing = [name for name in names if not (root / checked_relative_path(name)).is_file()]
    if missing:
        raise UserError(f'{len(missing)} of {len(maps)} map pictures are missing in {root}, first '
                        f'{missing[0]}; unpack the metadata archive of this version again')


# So many of a version's official splits are converted where none is asked for.
CONVERTED = 2
# Several official splits as one, for a model that goes to the leaderboard; nothing is evaluated on it.
UNIONS: Dict[str, Dict[str, Tuple[str, ...]]] = {'trainval': {'trainval': ('train', 'val')}}


def resolve_splits(nusc: NuScenes, requested: Sequence[str]) -> Dict[str, List[str]]:
    """Lists the scenes of every split to convert.

    Args:
        nusc: the opened tables.
        requested: names of splits; empty for the official splits of this version that have scenes
            here, or all splits of `splits.json` for a version that is not official.

    Returns:
        Scene tokens by split, in the order of the scene table.

    Raises:
        UserError: if a split is unknown, belongs to another version or has no scene.
    """
    custom = _read_custom_splits(nusc)
    official = of_version(OFFICIAL_SPLITS, nusc.version, ())
    names = list(dict.fromkeys(requested)) or list(official[:CONVERTED]) or sorted(custom)
    if not names:
        raise UserError(f'version {nusc.version!r} is not official and has no splits; write '
                        f'{_splits_file(nusc)} with {{"SPLIT": ["scene-0001", ...]}}')
    unions = of_version(UNIONS, nusc.version, {})
    scenes = {name: _scenes_of_split(nusc, name, official, unions, custom) for name in names}
    empty = [name for name in names if not scenes[name]]
    if empty and (requested or len(empty) == len(names)):
        held = _shortened(sorted(scene['name'] for scene in nusc.scene))
        raise UserError(f'split {empty[0]!r} has no scene in {nusc.dataroot}/{nusc.version}, '
                        f'which holds {held}; ask for another with --split')
    return {name: tokens for name, tokens in scenes.items() if tokens}


def _scenes_of_split(nusc: NuScenes, name: str, official: Sequence[str],
                     unions: Dict[str, Tuple[str, ...]], custom: Dict[str, List[str]]) -> List[str]:
    predefined = official_splits()
    known = _shortened([*official, *unions, *sorted(custom)])
    if name in unions:
        scene_names = [scene for part in unions[name] for scene in predefined[part]]
    elif name in predefined:
        if name not in official:
            raise UserError(f'split {name!r} is not a split of version {nusc.version!r}; expected '
                            f'one of {known}')
        scene_names = [*predefined[name]]
    elif name in custom:
        scene_names = custom[name]
        unknown = sorted(set(scene_names) - {scene['name'] for scene in nusc.scene})
        if unknown:
            raise UserError(f'split {name!r} of {_splits_file(nusc)} names {len(unknown)} scenes '
                            f'that the tables do not hold: {_shortened(unknown)}; correct it')
    else:
        raise UserError(f'unknown split {name!r}; expected one of {known} or an entry of '
                        f'{_splits_file(nusc)}')
    return [scene['token'] for scene in nusc.scene if scene['name'] in set(scene_names)]


def _splits_file(nusc: NuScenes) -> Path:
    return Path(nusc.dataroot) / nusc.version / 'splits.json'


def _read_custom_splits(nusc: NuScenes) -> Dict[str, List[str]]:
    path = _splits_file(nusc)
    splits = read_custom_splits(path.parent)
    odd = [name for name in splits if not re.fullmatch(r'[\w.-]+', name)]
    if odd:
        raise UserError(f'{path} names a split {odd[0]!r}; expected letters, digits, dot, dash '
                        'and underscore only, because files are named after it')
    return splits


def _shortened(names: Sequence[str], shown: int = 8) -> str:
    more = f' and {len(names) - shown} more' if len(names) > shown else ''
    return (', '.join(names[:shown]) or 'nothing') + more
