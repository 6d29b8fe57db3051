"""Does a checkpoint belong to this model? Strictly: what differs is listed branch by branch.

A branch is a part of the detector: the first word of a weight's name (`lidar_branch`, `fuser`, ...).
What may differ is said in the config's `load_cfg`, and nowhere else.
"""
import re
from collections import OrderedDict
from dataclasses import dataclass, fields
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from torch import Tensor, nn

from ..errors import UserError
from .formats import recognise
from .key_rules import SPARSE_DIMS, mmcv_to_spconv2

SHOWN_KEYS = 3
# mmdet3d reorders sparse kernels on loading unless their module's version says spconv 2.
SPCONV2_VERSION = 2


@dataclass(frozen=True)
class Tolerance:
    """What a checkpoint may lack, or have too much, when a training starts from it.

    Attributes:
        missing_branches: branches that the checkpoint need not have; they start as initialised.
        unused_branches: branches of the checkpoint that the model need not have.
        max_differing: how many other weights may be missing, unexpected or of another shape.
    """

    missing_branches: Tuple[str, ...] = ()
    unused_branches: Tuple[str, ...] = ()
    max_differing: int = 0

    @classmethod
    def from_config(cls, load_cfg: Optional[Mapping[str, Any]]) -> 'Tolerance':
        """Builds it from a config's `load_cfg`, which may be absent.

        Args:
            load_cfg: fields of this class; lists stand for tuples.

        Raises:
            UserError: if a key is unknown.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(load_cfg or {}) - set(known))
        if unknown:
            raise UserError(f'load_cfg got {", ".join(unknown)}, expected some of {", ".join(known)}')
        return cls(**{key: tuple(value) if isinstance(value, (list, tuple)) else value
                      for key, value in (load_cfg or {}).items()})


STRICT = Tolerance()
# Where a checkpoint's `meta` has the detector's `learned_settings`, and its config.
SETTINGS, CONFIG, PIPELINE = 'learned_settings', 'trained_config', 'test_pipeline'
# What of a model's config does not change what trained weights find.
OF_TRAINING = re.compile('init_cfg|loss|pretrained|with_cp|frozen_stages|norm_eval|train_cfg')


@dataclass(frozen=True)
class Differences:
    """How a state dict differs from a model; each list in the order of its owner.

    Attributes:
        missing: keys that the weights lack.
        unexpected: keys that the model does not know.
        misshapen: keys whose shapes differ, with both shapes.
    """

    missing: List[str]
    unexpected: List[str]
    misshapen: Dict[str, str]

    def __len__(self) -> int:
        return len(self.missing) + len(self.unexpected) + len(self.misshapen)

    def outside(self, tolerance: Tolerance) -> 'Differences':
        """Returns what is left without the branches that may differ."""
        return Differences(
            [key for key in self.missing if branch_of(key) not in tolerance.missing_branches],
            [key for key in self.unexpected if branch_of(key) not in tolerance.unused_branches],
            self.misshapen)

    def __str__(self) -> str:
        """Lists the differences branch by branch, the first keys of each."""
        kinds = (('missing', {key: key for key in self.missing}),
                 ('unexpected', {key: key for key in self.unexpected}),
                 ('of another shape', self.misshapen))
        branches = dict.fromkeys(branch_of(key) for _, listed in kinds for key in listed)
        return '; '.join(f'{branch}: ' + ', '.join(
            f'{len(of_branch)} {kind} ({_first(of_branch)})' for kind, listed in kinds
            if (of_branch := [text for key, text in listed.items() if branch_of(key) == branch]))
            for branch in branches)


def branch_of(key: str) -> str:
    """Returns the part of the detector that a weight belongs to."""
    return key.split('.', 1)[0]


def state_dict_of(checkpoint: Mapping[str, Any]) -> Dict[str, Any]:
    """Returns the weights without the `module.` prefix of data-parallel wrappers."""
    weights = checkpoint.get('state_dict', checkpoint)
    return {re.sub(r'^module\.', '', key): value for key, value in weights.items()}


def compare_weights(model: nn.Module, weights: Mapping[str, Any]) -> Differences:
    """Compares a model's parameters and buffers with a state dict."""
    expected = model.state_dict()
    return Differences(
        missing=[key for key in expected if key not in weights],
        unexpected=[key for key in weights if key not in expected],
        misshapen={key: f'{key} got {tuple(weights[key].shape)} expected {tuple(expected[key].shape)}'
                   for key in expected if key in weights
                   and tuple(weights[key].shape) != tuple(expected[key].shape)})


def fit_weights(model: nn.Module, checkpoint: Mapping[str, Any], *, name: str,
                tolerance: Tolerance = STRICT) -> 'OrderedDict[str, Tensor]':
    """Returns the weights that can be loaded, or refuses a checkpoint of another config.

    Args:
        model: the model that shall receive the weights, not wrapped.
        checkpoint: what `read_checkpoint` returned.
        name: what the message calls the checkpoint.
        tolerance: what may differ.

    Raises:
        UserError: if more differs than may, the message lists it by branch; strictly, if the weights belong
            to another grid, voxels or pixels.
    """
    said = said_of_settings(model, checkpoint, name=name)
    if said and tolerance is STRICT:
        raise UserError(f'{said}: its weights fit and the boxes would be wrong; give the recipe the values '
                        'of the checkpoint')
    expected = model.state_dict()
    _check_branches(tolerance, expected)
    weights = {key: _stored_as(value, expected[key]) if key in expected else value
               for key, value in state_dict_of(checkpoint).items()}
    found = compare_weights(model, weights)
    refused = found.outside(tolerance)
    if len(refused) > tolerance.max_differing:
        raise UserError(_refusal(name, refused, expected, weights, tolerance))
    if len(found.missing) == len(expected) - len(found.misshapen):
        raise UserError(f'checkpoint {name} holds no weight of this model, nothing would be loaded from it')
    return with_versions({key: value for key, value in weights.items()
                          if key in expected and key not in found.misshapen})


def said_of_settings(model: nn.Module, checkpoint: Mapping[str, Any], *, name: str) -> str:
    """Returns which settings that no shape tells weights learned otherwise, with both values; '' if none.

    Args:
        model: a detector; others have no `learned_settings`.
        checkpoint: what `read_checkpoint` returned; checkpoints of others do not say their settings.
        name: what the sentence calls the checkpoint.
    """
    meta = checkpoint.get('meta')
    learned = meta.get(SETTINGS) if isinstance(meta, dict) else None
    differing = [f'model.{key}={learned[key]}, the recipe has {value}'
                 for key, value in getattr(model, SETTINGS, {}).items()
                 if isinstance(learned, dict) and learned.get(key, value) != value]
    return f'checkpoint {name} was trained with {"; ".join(differing)}' if differing else ''


def said_of_config(checkpoint: Mapping[str, Any], config: Mapping[str, Any], *, name: str) -> str:
    """Returns in which settings a config differs from the one that was trained; '' in none, or if unknown.

    Args:
        checkpoint: what `read_checkpoint` returned.
        config: `model`, and `test_pipeline` by type of step, of which those of both are compared.
        name: what the sentence calls the checkpoint.
    """
    meta = checkpoint.get('meta')
    learned = meta.get(CONFIG) if isinstance(meta, dict) else None
    if not isinstance(learned, dict):
        return ''
    steps = [one.get(PIPELINE, {}) for one in (learned, config)]
    before, now = (dict(_leaves({**one, PIPELINE: {name: own[name] for name in own if name in steps[0]
                                                   and name in steps[1]}}))
                   for one, own in zip((learned, config), steps))
    differing = [f'{key}={now.get(key, "absent")} (trained with {before.get(key, "absent")})'
                 for key in {**before, **now} if not OF_TRAINING.search(key)
                 and now.get(key, '') != before.get(key, '')]
    more = f' and {len(differing) - SHOWN_KEYS} more' if len(differing) > SHOWN_KEYS else ''
    return (f'the recipe is not the one that {name} was trained with: '
            f'{", ".join(differing[:SHOWN_KEYS])}{more}' if differing else '')


def plain_config(node: Any) -> Any:
    """Returns a part of a config as dictionaries, lists, numbers and texts."""
    if isinstance(node, Mapping):
        return {str(key): plain_config(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [plain_config(value) for value in node]
    return node if isinstance(node, (str, int, float, type(None))) else getattr(node, '__name__', str(node))


def _leaves(node: Any, at: str = '') -> Iterator[Tuple[str, Any]]:
    if isinstance(node, Mapping) and node:
        for key, value in node.items():
            yield from _leaves(value, f'{at}.{key}' if at else str(key))
    else:
        yield at, plain_config(node)


def with_versions(weights: Mapping[str, Tensor]) -> 'OrderedDict[str, Tensor]':
    """Marks sparse kernels as spconv 2's: mmdet3d reorders on loading what is not marked."""
    marked = OrderedDict(weights)
    marked._metadata = OrderedDict((key.rpartition('.')[0], dict(version=SPCONV2_VERSION))
                                   for key, value in weights.items() if value.dim() == SPARSE_DIMS)
    return marked


def check_learned_classes(checkpoint: Mapping[str, Any], classes: Optional[Sequence[str]], *, name: str
                          ) -> None:
    """Refuses weights that learned other classes, or in another order: a label is a place in their list.

    Args:
        checkpoint: what `read_checkpoint` returned; checkpoints of others may not say their classes.
        classes: of the recipe's dataset.
        name: what the message calls the checkpoint.

    Raises:
        UserError: with both lists.
    """
    meta = checkpoint.get('meta')
    of_dataset = meta.get('dataset_meta') if isinstance(meta, dict) else None
    learned = of_dataset.get('classes') if isinstance(of_dataset, dict) else None
    if isinstance(learned, (list, tuple)) and classes and list(learned) != list(classes):
        raise UserError(f'checkpoint {name} learned the classes {", ".join(map(str, learned))}, and the '
                        f'dataset of the recipe has {", ".join(classes)}; a label is a place in the list: '
                        'give metainfo.classes and the head that of the checkpoint')


def summarise(model: nn.Module, loaded: Mapping[str, Any], *, name: str) -> str:
    """Says how many weights of each branch a checkpoint gave, and which stay as initialised."""
    expected = model.state_dict()
    left = [branch_of(key) for key in expected if key not in loaded]
    rest = ', '.join(f'{branch} {left.count(branch)}' for branch in dict.fromkeys(left))
    return (f'{len(expected) - len(left)} of {len(expected)} weights are taken from {name}'
            + (f'; as initialised: {rest}' if rest else ''))


def _check_branches(tolerance: Tolerance, expected: Mapping[str, Any]) -> None:
    known = list(dict.fromkeys(map(branch_of, expected)))
    wrong = [branch for branch in tolerance.missing_branches if branch not in known]
    if wrong:
        raise UserError(f'load_cfg.missing_branches got {", ".join(wrong)}, expected some of the model\'s '
                        f'branches {", ".join(known)}')


def _stored_as(value: Any, expected: Tensor) -> Any:
    """Reorders a sparse kernel that mmcv has stored."""
    if expected.dim() != SPARSE_DIMS or value.dim() != SPARSE_DIMS or value.shape == expected.shape:
        return value
    reordered = mmcv_to_spconv2(value)
    return reordered if reordered.shape == expected.shape else value


def _refusal(name: str, refused: Differences, expected: Mapping[str, Any], weights: Mapping[str, Any],
             tolerance: Tolerance) -> str:
    foreign = recognise(weights)
    if foreign is not None:
        return f'checkpoint {name} is of {foreign.name}: {foreign.advice}'
    of_branch = {branch: sum(branch_of(key) == branch for key in expected)
                 for branch in map(branch_of, refused.missing)}
    absent = [branch for branch, count in of_branch.items()
              if sum(branch_of(key) == branch for key in refused.missing) == count]
    hint = (f'; to train what is missing from scratch: --cfg-options '
            f'load_cfg.missing_branches="[{",".join(absent)}]"'
            if absent and len(absent) < len(set(map(branch_of, expected))) else '')
    allowed = f', at most {tolerance.max_differing} may differ' if tolerance.max_differing else ''
    return (f'checkpoint {name} is of another config: the model expects {len(expected)} weights{allowed}; '
            f'{refused}; pass the config that the checkpoint was trained with, or its own checkpoint{hint}')


def _first(keys: List[str]) -> str:
    """Lists the first few keys."""
    more = ', ...' if len(keys) > SHOWN_KEYS else ''
    return ', '.join(keys[:SHOWN_KEYS]) + more
