"""Which dataset a command reads: what the user says, or what a run's own record says."""
import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from ..atomic import unsealed
from ..errors import UserError
from ..submission.provenance import RUN_RECORD_NAME as RECORD_NAME

DEFAULT_ROOT = Path('data/nuscenes')
# How the version ends that has an official split.
VERSION_ENDS = {'train': '-trainval', 'val': '-trainval', 'trainval': '-trainval', 'test': '-test',
                'mini_train': '-mini', 'mini_val': '-mini'}


@dataclass(frozen=True)
class Dataset:
    """A split of a dataset.

    Attributes:
        dataroot: its folder.
        version: the folder of its tables.
        split: official or custom; empty if nobody said.
    """

    dataroot: Path
    version: str
    split: str


def choose_dataset(args: argparse.Namespace, *, results: Optional[Path] = None, needs_split: bool = True
                   ) -> Dataset:
    """Returns the dataset of a command.

    Args:
        args: with `dataroot`, `version` and, where the command has it, `split`; None for what nobody said.
        results: results file or folder of a test run, whose record fills in the rest.
        needs_split: the command cannot do without.

    Raises:
        UserError: if the results are not there, or the version or the split is not known.
    """
    if results is not None and not results.exists():
        raise UserError(f'{results} does not exist; expected what gemini3d test or export has written')
    recorded = recorded_dataset(results) if results is not None else {}
    dataroot = Path(args.dataroot or recorded.get('dataroot') or DEFAULT_ROOT)
    split = getattr(args, 'split', None) or recorded.get('split') or ''
    version = args.version or recorded.get('version') or only_version(dataroot, split)
    if needs_split and not split:
        raise UserError(f'got no --split, expected one of {version}, such as val or mini_val'
                        + (f'; {RECORD_NAME} beside {results} does not say it' if results else ''))
    return Dataset(dataroot, version, split)


def is_named(args: argparse.Namespace) -> bool:
    """Whether the user said anything about the dataset."""
    return any((args.dataroot, args.version, args.split))


def only_version(dataroot: Path, split: str = '') -> str:
    """Returns the version of a dataset that has exactly one, or exactly one with this split.

    Args:
        dataroot: of the dataset.
        split: official; of another, or of none, nothing is derived.

    Raises:
        UserError: if it has none or several.
    """
    found = sorted(tables.parent.name for tables in dataroot.glob('*/sample.json'))
    found = [version for version in found if version.endswith(VERSION_ENDS.get(split, ()))] or found
    if len(found) != 1:
        holds = f'holds {"the versions " + ", ".join(found) if found else "no tables"}'
        raise UserError(f'{dataroot} {holds if dataroot.is_dir() else "does not exist"}; '
                        + ('choose one with --version' if found else
                           'name the folder of a nuScenes dataset with --dataroot'))
    return found[0]


def recorded_dataset(results: Path) -> Dict[str, Any]:
    """Returns `dataroot`, `version`, `split`, as far as the record of a test run, where it is, says them."""
    return read_run(results).get('dataset') or {}


def read_run(results: Path) -> Dict[str, Any]:
    """Returns what the record of a test run, where it is, says of `dataroot`, `version` and `split`."""
    path = (results if results.is_dir() else results.parent) / RECORD_NAME
    try:
        content = unsealed(json.loads(path.read_text()))
    except OSError:
        return {}
    except ValueError as error:
        raise UserError(f'{path} cannot be used ({error}); test again, or remove it and name the dataset'
                        ) from error
    return content if isinstance(content, dict) else {}
