"""Renames and turns the weights of a checkpoint by a list of rules; nothing is lost silently.

How a kernel turns when its input is laid out otherwise.

This project's maps are (B, C, Y, X) and its voxels (z, y, x). mmdet3d's BEVFusion project has
(B, C, X, Y) and (x, y, z): the same network on a transposed map is the network with its kernels
transposed. Independent of that, a sparse kernel is stored (out, k, k, k, in) by spconv 2 and
(k, k, k, in, out) by mmcv and spconv 1.
"""
import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Sequence

from torch import Tensor

from ..errors import UserError

# Sparse encoders have kernels of at most this side, and more channels than that.
LARGEST_SPARSE_KERNEL = 3
DENSE_DIMS, SPARSE_DIMS = 4, 5


def unchanged(weight: Tensor) -> Tensor:
    """Returns the weight as it is."""
    return weight


def yx_from_xy(weight: Tensor) -> Tensor:
    """Turns the kernel of a dense 2D (transposed) convolution; other weights pass unchanged.

    Args:
        weight: (out, in, k_x, k_y) becomes (out, in, k_y, k_x).
    """
    if weight.dim() != DENSE_DIMS:
        return weight
    return weight.transpose(2, 3).contiguous()


def spconv2_layout(weight: Tensor) -> Tensor:
    """Brings a sparse 3D kernel of either library to (out, k, k, k, in); others pass unchanged.

    Args:
        weight: of any layer.

    Raises:
        UserError: if the shape is of neither layout, or could be of both.
    """
    if weight.dim() != SPARSE_DIMS:
        return weight
    is_spconv2 = max(weight.shape[1:4]) <= LARGEST_SPARSE_KERNEL
    is_mmcv = max(weight.shape[:3]) <= LARGEST_SPARSE_KERNEL
    if is_spconv2 == is_mmcv:
        raise UserError(f'a sparse kernel of shape {tuple(weight.shape)} is neither clearly (out, k, k, k, '
                        f'in) of spconv 2 nor clearly (k, k, k, in, out) of mmcv, with k at most '
                        f'{LARGEST_SPARSE_KERNEL}: convert a checkpoint of another encoder by hand')
    return weight if is_spconv2 else mmcv_to_spconv2(weight)


def mmcv_to_spconv2(weight: Tensor) -> Tensor:
    """Moves the output channels of a (k, k, k, in, out) kernel to the front."""
    return weight.permute(4, 0, 1, 2, 3).contiguous()


def zyx_from_xyz(weight: Tensor) -> Tensor:
    """Turns a sparse 3D kernel of either layout; other weights pass unchanged.

    Args:
        weight: a kernel over (x, y, z) becomes (out, k_z, k_y, k_x, in).
    """
    if weight.dim() != SPARSE_DIMS:
        return weight
    return spconv2_layout(weight).permute(0, 3, 2, 1, 4).contiguous()


SHOWN_KEYS = 5


@dataclass(frozen=True)
class Rule:
    """What happens to the keys that a pattern matches as a whole.

    Attributes:
        pattern: regular expression of the source's key.
        target: the key here, with groups as in `re.sub`; None for what has no counterpart here.
        change: turns the weight.
    """

    pattern: str
    target: Optional[str]
    change: Callable[[Tensor], Tensor] = unchanged


def apply_rules(weights: Mapping[str, Tensor], rules: Sequence[Rule], *, source: str) -> Dict[str, Tensor]:
    """Converts every weight by the first rule that matches its key.

    Args:
        weights: the source's state dict.
        rules: in order of precedence.
        source: what the messages call the source's format.

    Raises:
        UserError: if no rule knows a key, or two keys become one.
    """
    converted: Dict[str, Tensor] = {}
    unknown: List[str] = []
    for key, weight in weights.items():
        rule = next((rule for rule in rules if re.fullmatch(rule.pattern, key)), None)
        if rule is None:
            unknown.append(key)
        elif rule.target is not None:
            target = re.sub(f'^{rule.pattern}$', rule.target, key)
            if target in converted:
                raise UserError(f'two weights of the {source} checkpoint become {target}, the second is '
                                f'{key}: the checkpoint is not what the converter expects')
            converted[target] = rule.change(weight)
    if unknown:
        more = ', ...' if len(unknown) > SHOWN_KEYS else ''
        raise UserError(f'{len(unknown)} weights of the checkpoint have no counterpart in the conversion '
                        f'from {source} ({", ".join(unknown[:SHOWN_KEYS])}{more}): pass a checkpoint of '
                        'its published configs')
    return converted
