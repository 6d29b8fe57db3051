"""First step of the conversion: opens the tables of one nuScenes version, or says clearly why not.

The tables are read by the official devkit; everything it would answer with an assertion or a
KeyError is looked at first.
"""
import json
import re
from pathlib import Path
from typing import List

from nuscenes.nuscenes import NuScenes

from ..errors import UserError

TABLES = ('attribute', 'calibrated_sensor', 'category', 'ego_pose', 'instance', 'log', 'map',
          'sample', 'sample_annotation', 'sample_data', 'scene', 'sensor', 'visibility')


def open_tables(root: Path, version: str) -> NuScenes:
    """Opens the 13 tables of a version with the devkit.

    Args:
        root: the dataset's root, which holds `samples`, `sweeps`, `maps` and one folder per
            version.
        version: name of the tables' folder, such as `v1.0-mini`.

    Raises:
        UserError: if the root, the version, a table or a map is missing or damaged.
    """
    _check_version(root, version)
    missing = [f'{table}.json' for table in TABLES
               if not (root / version / f'{table}.json').is_file()]
    if missing:
        raise UserError(f'{root / version} lacks {len(missing)} of the 13 tables: '
                        f'{", ".join(missing)}; unpack the metadata archive of this version again')
    _check_maps(root, version)
    try:
        return NuScenes(version=version, dataroot=str(root), verbose=False)
    except json.JSONDecodeError as error:
        raise UserError(f'a table in {root / version} is no whole JSON file ({error}); unpack the '
                        'metadata archive of this version again') from error
    except (KeyError, AssertionError) as error:
        raise UserError(f'the tables in {root / version} do not fit together: the devkit stopped '
                        f'at {error!r}; unpack the metadata archive of this version again'
                        ) from error


def checked_relative_path(filename: str) -> str:
    """Returns a table's file name if it stays inside the data root.

    Raises:
        UserError: if the name is absolute or climbs out of the data root.
    """
    is_odd = not filename or '\\' in filename or '\0' in filename
    if is_odd or filename.startswith('/') or '..' in filename.split('/'):
        raise UserError(f'the tables name the file {filename!r}; expected a path inside the data '
                        'root, such as samples/LIDAR_TOP/NAME.pcd.bin')
    return filename


def known_versions(root: Path) -> List[str]:
    """Names the folders of `root` that hold tables."""
    return sorted(table.parent.name for table in root.glob('*/sample.json'))


def _check_version(root: Path, version: str) -> None:
    if not root.is_dir():
        raise UserError(f'the data root {root} is no folder; give the folder that holds samples/ '
                        'and v1.0-*/ with --root-path')
    if not re.fullmatch(r'[\w.-]+', version) or not (root / version).is_dir():
        found = ', '.join(known_versions(root)) or 'none'
        raise UserError(f'version {version!r} is not in {root}; expected one of its folders with '
                        f'tables (found: {found})')


def _check_maps(root: Path, version: str) -> None:
    try:
        maps = json.loads((root / version / 'map.json').read_text())
    except ValueError as error:
        raise UserError(f'{root / version / "map.json"} is no whole JSON file ({error}); unpack '
                        'the metadata archive of this version again') from error
    missing = [record['filename'] for record in maps
               if not (root / checked_relative_path(record['filename'])).is_file()]
    if missing:
        raise UserError(f'{len(missing)} of {len(maps)} map pictures are missing in {root}, first '
                        f'{missing[0]}; unpack the metadata archive of this version again')
