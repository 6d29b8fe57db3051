"""Whether a model learned from more than nuScenes, as the leaderboard counts it.

Source: nuScenes detection README ("Challenge tracks"): pre-training on image classification is free,
anything trained with boxes or masks of other data is external data (`use_external`).
"""
import re
from pathlib import PurePath
from typing import Any, Dict, Iterator, Mapping

from ..errors import UserError

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
