"""Starts an image backbone from weights of image classification or of another detector.

The config says so as everywhere in mmengine: `init_cfg=dict(type='Pretrained', checkpoint=PATH or URL)`
of the backbone, and `prefix` for a part of a larger model. The delta to mmengine's loader: nothing in
the file is run, formats are recognised, and weights that are missing or of another shape are refused
instead of staying random in silence. Formats: torchvision, official Swin, mmdet, checkpoints of whole
detectors (mmdet3d's and this project's).
"""
import re
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from mmdet.models.backbones.swin import swin_converter
from mmengine.logging import print_log
from mmengine.model import BaseModule
from torch import Tensor

from ..checkpoints.checkpoint_file import read_checkpoint
from ..errors import UserError

# Where a backbone stands in a model that was saved whole, after DistributedDataParallel's `module.`.
PREFIXES = ('', 'backbone.', 'img_backbone.', 'camera_branch.backbone.')
# What classification lacks: the norms in front of a Swin's outputs, and what is counted or derived.
MAY_BE_NEW = re.compile(r'norm\d+\.(weight|bias)$|.*\.(num_batches_tracked|relative_position_index)$')


def pretrained_config(backbone: BaseModule) -> Optional[Mapping[str, Any]]:
    """Returns the backbone's init_cfg of type Pretrained, or None."""
    configs = backbone.init_cfg or []
    configs = [configs] if isinstance(configs, Mapping) else configs
    return next((config for config in configs if config['type'] == 'Pretrained'), None)


def load_pretrained(backbone: BaseModule, config: Mapping[str, Any]) -> None:
    """Loads the weights that an init_cfg names.

    Args:
        backbone: the module to fill.
        config: checkpoint, a path or an address, and optionally prefix.

    Raises:
        UserError: if the file is absent, out of reach or unreadable, or does not fit the backbone.
    """
    name, own = config['checkpoint'], backbone.state_dict()
    if '://' not in name and not Path(name).expanduser().is_file():
        raise UserError(f'the pretrained weights {name} of {type(backbone).__name__} do not exist (looked '
                        f'for {Path(name).expanduser().absolute()}): put them there, or name another file '
                        'with --cfg-options model.camera_branch.backbone.init_cfg.checkpoint=PATH')
    weights = _of_backbone(read_checkpoint(name), own, config.get('prefix'))
    missing = [key for key in own if key not in weights and not MAY_BE_NEW.match(key)]
    misshapen = [f'{key} {tuple(weights[key].shape)} instead of {tuple(own[key].shape)}'
                 for key in own if key in weights and weights[key].shape != own[key].shape]
    if missing or misshapen:
        raise UserError(f'{name} does not fit {type(backbone).__name__}: {_few("missing", missing)}, '
                        f'{_few("of another shape", misshapen)}; name weights of the same architecture '
                        '(torchvision, official Swin, mmdet or a detector that holds it)')
    backbone.load_state_dict({key: weights[key] for key in own if key in weights}, strict=False)
    new = [key for key in own if key not in weights]
    print_log(f'{type(backbone).__name__}: {len(own) - len(new)} tensors from {name}; {_few("new", new)}; '
              f'{len([key for key in weights if key not in own])} of the file not used', logger='current')


def _of_backbone(checkpoint: Mapping[str, Any], own: Mapping[str, Tensor], prefix: Optional[str]
                 ) -> Dict[str, Tensor]:
    """Returns the file's weights under the backbone's names, from where most of them are found."""
    content = next((checkpoint[key] for key in ('state_dict', 'model')
                    if isinstance(checkpoint.get(key), Mapping)), checkpoint)
    content = {re.sub(r'^module\.', '', key): value for key, value in content.items()}
    prefixes = PREFIXES if prefix is None else (prefix.rstrip('.') + '.',)
    found = [{key[len(start):]: value for key, value in content.items() if key.startswith(start)}
             for start in prefixes]
    # Official Swin counts `layers`; mmdet's backbone calls them `stages`.
    found = [_from_official_swin(weights) if 'layers.0.blocks.0.norm1.weight' in weights else weights
             for weights in found]
    return max(found, key=lambda weights: len(own.keys() & weights.keys()))


def _from_official_swin(weights: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    # mmdet prefixes everything that it converts.
    return {key.removeprefix('backbone.'): value for key, value in swin_converter(weights).items()}


def _few(what: str, keys: List[str]) -> str:
    first = ', '.join(keys[:3]) + (', ...' if len(keys) > 3 else '')
    return f'{len(keys)} {what}' + (f' ({first})' if keys else '')
