"""Second step of the conversion: which scenes belong to which split.

A split's name means what it means to the devkit (`nuscenes.utils.splits`): official names come
from its lists, any other name from `<root>/<version>/splits.json`. A scene that no split names is
in no split: mmdet3d's converter puts it into `val`.
"""
import re
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from nuscenes.nuscenes import NuScenes

from ..errors import UserError
from ..submission.split_samples import (OFFICIAL_SPLITS, of_version, official_splits,
                                        read_custom_splits)

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
                        f'which holds {held}; ask for another with --splits')
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
