"""First step of the conversion: opens the tables of one nuScenes version, or says clearly why not.

The tables are read by the official devkit; everything it would answer with an assertion or a
KeyError is looked at first.
"""
import json
import re
from pathlib import Path
from typing import Any, Dict, List

from nuscenes.nuscenes import NuScenes

from ..errors import UserError
from ..needed_tables import NeededTables
from ..paths import checked_relative_path
from ..submission.json_stream import NotJson

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
    missing = [f'{table}.json' for table in TABLES
               if not (root / version / f'{table}.json').is_file()]
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
                        'and v1.0-*/ with --root-path')
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
