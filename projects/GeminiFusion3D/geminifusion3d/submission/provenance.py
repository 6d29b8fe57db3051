"""Where a submission comes from: what its organisers ask for, and what one needs to make it again.

Written beside the submission as provenance.json; submission_email puts the same facts into words.

Whether a model learned from more than nuScenes, as the leaderboard counts it.

Source: nuScenes detection README ("Challenge tracks"): pre-training on image classification is free,
anything trained with boxes or masks of other data is external data (`use_external`).
"""
import hashlib
import json
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePath
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

from ..atomic import unsealed
from ..check_sums import file_sum
from ..errors import UserError

PROVENANCE_NAME = 'provenance.json'
# What gemini3d ensemble leaves beside the file that it writes.
ENSEMBLE_NAME = 'ensemble.json'
# What gemini3d test leaves beside its results and scores.
RUN_RECORD_NAME = 'test_run.json'
PACKAGES = ('torch', 'numpy', 'mmengine', 'mmcv', 'mmcv-lite', 'mmdet', 'mmdet3d', 'nuscenes-devkit',
            'spconv-cu120', 'spconv-cu124', 'spconv-cu126', 'geminifusion3d')


def file_facts(path: Path) -> Dict[str, Any]:
    """Returns a file's path, SHA-256 and size."""
    return {'path': str(path), 'sha256': file_sum(path), 'bytes': path.stat().st_size}


def check_recorded(path: Path) -> None:
    """Refuses a file that is not the one that a record beside it is about; most files have no record.

    JSON has no check sum: a digit that was damaged is another digit.

    Args:
        path: results, a submission or scores.

    Raises:
        UserError: if the SHA-256 that the record holds is another, or the record itself is damaged.
    """
    for record in map(path.with_name, (RUN_RECORD_NAME, ENSEMBLE_NAME, PROVENANCE_NAME)):
        if record == path or not (record.is_file() and path.is_file()):
            continue
        try:
            content = unsealed(json.loads(record.read_bytes()))
            listed = [content.get('results'), *content.get('scores', ())]
            # Those of an ensemble are what it was made of.
            listed += content.get('files', ()) if record.name == PROVENANCE_NAME else ()
            digests = [facts['sha256'] for facts in listed
                       if facts and Path(facts.get('path', path)).name == path.name]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f'{record} is not what was written beside {path.name} ({error}); write both '
                            'again, or remove it') from None
        if digests and file_sum(path) not in digests:
            raise UserError(f'{path} is not the file that {record} is about (its SHA-256 differs), it was '
                            f'changed or damaged; write it again, or remove {record} if the change was meant')


def config_facts(text: str, path: str) -> Dict[str, str]:
    """Returns a config's path and the SHA-256 of its full text.

    Args:
        text: the config with its base files and overrides, as mmengine's `Config.pretty_text` has it.
        path: of the config.
    """
    return {'path': path, 'sha256_of_text': hashlib.sha256(text.encode()).hexdigest()}


def code_facts(folder: Path = Path(__file__).parent) -> Optional[Dict[str, Any]]:
    """Returns the git commit of the code and whether files differ from it, None outside a checkout."""
    try:
        # An installed copy may lie inside somebody else's checkout, which does not list it.
        if not _git(folder, 'ls-files', '.'):
            return None
        return {'commit': _git(folder, 'rev-parse', 'HEAD'),
                'is_dirty': bool(_git(folder, 'status', '--porcelain', '--untracked-files=no'))}
    except (OSError, subprocess.CalledProcessError):
        return None


def package_versions(names: Sequence[str] = PACKAGES) -> Dict[str, str]:
    """Returns the versions of Python and of those packages that are installed."""
    versions = {'python': platform.python_version()}
    for name in names:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def describe(*, facts: Mapping[str, Any], made: Mapping[str, Any], meta: Mapping[str, bool],
             files: Sequence[Path], predictions: Optional[Path], verdict: Mapping[str, Any]
             ) -> Dict[str, Any]:
    """Returns the content of provenance.json.

    Args:
        facts: about config and data, see export.ExportPlan.
        made: weights, augmentation, speed and hardware, see run_record.made_with.
        meta: the five flags of the submission.
        files: what was written.
        predictions: the results file that it was made from, None after an inference.
        verdict: samples, boxes and track, as the validator counted them.

    Returns:
        The content, ready for JSON.
    """
    return {
        **facts, 'meta': dict(meta), 'track': verdict['track'], 'samples': verdict['samples'],
        'boxes': verdict['boxes'], 'valid': verdict['valid'],
        'files': [file_facts(path) for path in files],
        'predictions': file_facts(predictions) if predictions else None, **made,
        'ensemble': ensemble_facts(predictions), 'code': code_facts(), 'packages': package_versions(),
        'date': now()}


def ensemble_facts(predictions: Optional[Path]) -> Optional[Dict[str, Any]]:
    """Returns what gemini3d ensemble has written beside a results file, None if it was not made so.

    Args:
        predictions: the results file.

    Raises:
        UserError: if what lies there is broken.
    """
    path = predictions.with_name(ENSEMBLE_NAME) if predictions else None
    if path is None or not path.is_file():
        return None
    try:
        facts: Dict[str, Any] = unsealed(json.loads(path.read_bytes()))
        facts['method'], facts['files'][0]['sha256']
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UserError(f'{path} is not what gemini3d ensemble writes ({error!r}); fuse again, or remove it '
                        'if the results were not made so') from None
    return facts


def past_lidar_sweeps(cfg: Mapping[str, Any]) -> Optional[int]:
    """Returns how many sweeps before the keyframe the model sees in testing, None without LiDAR."""
    return max(_sweeps(cfg['test_dataloader']['dataset'].get('pipeline') or []), default=None)


def now() -> str:
    """Returns the time in UTC, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def _sweeps(steps: Any) -> List[int]:
    """Returns the sweeps_num of every loading step, also of steps inside others."""
    if isinstance(steps, Mapping):
        own = [steps.get('sweeps_num', 0)] if str(steps.get('type')).endswith('LoadPoints') else []
        return own + _sweeps(list(steps.values()))
    if isinstance(steps, (list, tuple)):
        return [number for step in steps for number in _sweeps(step)]
    return []


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(['git', '-C', str(folder), *arguments], check=True, text=True,
                          capture_output=True).stdout.strip()


# In names of weights: data sets with boxes or masks, and detectors that are trained on them.
_BOXES_OR_MASKS = re.compile(r'nuim|coco|objects365|lvis|dd3d|ddad|waymo|argoverse|kitti|mask[_-]?rcnn|'
                             r'cascade[_-]?rcnn|faster[_-]?rcnn', re.IGNORECASE)


def declare_external_data(cfg: Mapping[str, Any], meta: Mapping[str, bool], reason: str = ''
                          ) -> Dict[str, Any]:
    """Returns the flag and the reason to set it.

    Args:
        cfg: the config as plain containers; weights that it starts from are looked at by their names, and
            its optional `external_data` says in words what else was used.
        meta: the five flags that the config declares.
        reason: what the user says was used; declares it.

    Returns:
        `used`, the flag, and `reason`, '' if it is false.

    Raises:
        UserError: if the flag is false although the model starts from such weights.
    """
    sources = [name for name in starting_weights(cfg) if _BOXES_OR_MASKS.search(PurePath(name).name)]
    stated = reason or str(cfg.get('external_data') or '')
    if sources and not (meta['use_external'] or reason):
        raise UserError(f'the model starts from {sources[0]}, which by its name was trained with boxes or '
                        'masks of other data; the leaderboard counts that as external data: add '
                        '--external-data "what was used", or rename the file if it was not')
    if not (meta['use_external'] or reason):
        return {'used': False, 'reason': ''}
    return {'used': True, 'reason': stated or '; '.join(f'starts from {name}' for name in sources)
            or 'declared by the config, which gives no reason'}


def starting_weights(value: Any) -> Iterator[str]:
    """Yields the names of all weights that a config starts from."""
    if isinstance(value, Mapping):
        if isinstance(value.get('load_from'), str):
            yield value['load_from']
        if value.get('type') == 'Pretrained' and isinstance(value.get('checkpoint'), str):
            yield value['checkpoint']
        for entry in value.values():
            yield from starting_weights(entry)
    elif isinstance(value, (list, tuple)):
        for entry in value:
            yield from starting_weights(entry)
