"""Parameters and multiply-adds of a detector, stage by stage.

Multiply-adds are those of the matrix products and convolutions that one prediction really runs, read
off by torch's counter of floating point operations: dense convolutions, linear layers, attention
products, the pairs of the sparse convolutions' rulebooks (a CPU multiplies exactly these) and the
splat. Not counted: what works number by number (norms, activations, softmax, products of two maps)
and what follows the head's maps (decoding, suppression).
"""
import copy
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

# The parts of the detector that are counted one level deeper.
OPENED = ('camera_branch',)
REST = 'rest'


@dataclass(frozen=True)
class StageCost:
    """What one stage costs.

    Attributes:
        stage: its name, as in the detector: `fuser`, or `camera_branch.backbone`.
        parameters: numbers that training changes.
        multiply_adds: of one prediction for one sample.
    """

    stage: str
    parameters: int
    multiply_adds: int


def count_costs(model: nn.Module, batch: Dict[str, Any]) -> List[StageCost]:
    """Counts what each stage holds, and what it multiplies for one batch.

    Args:
        model: a detector on the CPU.
        batch: one collated batch of its test loader; the counts are per sample.
    """
    stages = stage_names(model)
    multiply_adds = _count_multiply_adds(model, stages, batch)
    return [StageCost(stage, count_parameters(model, stage, stages), multiply_adds.get(stage, 0))
            for stage in stages]


def multiply_adds(call: Callable[[], Any]) -> int:
    """Runs a call once and counts; what works number by number (norms, softmax, sums) counts nothing."""
    with FlopCounterMode(display=False, custom_mapping=UNKNOWN_TO_TORCH) as counter:
        call()
    # A multiply-add is two floating point operations.
    return counter.get_total_flops() // 2


def without_weights(node: Any) -> Any:
    """Returns a model's config without the weights to start from: they change neither cost nor time."""
    if isinstance(node, dict):
        return {key: without_weights(value) for key, value in node.items() if key != 'init_cfg'}
    return [without_weights(value) for value in node] if isinstance(node, (list, tuple)) else node


def stage_names(model: nn.Module) -> List[str]:
    """Lists the parts of a model in their order, and what of an opened part stands outside them."""
    names = []
    for name, part in model.named_children():
        if name == 'data_preprocessor':
            continue
        if name in OPENED:
            names += [f'{name}.{child}' for child, _ in part.named_children()] + [f'{name}.{REST}']
        else:
            names.append(name)
    return names


def count_parameters(model: nn.Module, stage: str, stages: Sequence[str]) -> int:
    """Counts the trained numbers of one stage."""
    owned = [name for name, parameter in model.named_parameters()
             if parameter.requires_grad and _stage_of(name, stages) == stage]
    return sum(model.get_parameter(name).numel() for name in owned)


def _stage_of(name: str, stages: Sequence[str]) -> Optional[str]:
    """Returns the stage that a parameter or module belongs to."""
    for stage in stages:
        if name == stage or name.startswith(f'{stage}.'):
            return stage
    rest = f'{name.split(".")[0]}.{REST}'
    return rest if rest in stages else None


def _count_multiply_adds(model: nn.Module, stages: Sequence[str], batch: Dict[str, Any]) -> Dict[str, int]:
    # A copy that wants no gradient: torch's counter trips over parameters that modules take as inputs.
    model = copy.deepcopy(model).requires_grad_(False).eval()
    data = model.data_preprocessor(batch, training=False)
    counter = FlopCounterMode(display=False, custom_mapping=UNKNOWN_TO_TORCH)
    with torch.no_grad(), counter:
        model(**data, mode='tensor')
    root, batch_size = type(model).__name__, len(data['data_samples'])
    counts = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    result = {stage: counts.get(f'{root}.{stage}', 0) for stage in stages}
    for stage in stages:
        part, _, child = stage.partition('.')
        if child == REST:
            opened = [other for other in stages if other.startswith(f'{part}.') and other != stage]
            result[stage] = counts.get(f'{root}.{part}', 0) - sum(result[name] for name in opened)
    # A multiply-add is two floating point operations.
    return {stage: flops // (2 * batch_size) for stage, flops in result.items()}


def _attention_flops(query_shape: Sequence[int], key_shape: Sequence[int], value_shape: Sequence[int],
                     *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Counts the logits and the weighted sum of the values."""
    return sdpa_flop_count(query_shape, key_shape, value_shape)


def _embedding_bag_flops(weight_shape: Sequence[int], indices_shape: Sequence[int], *_: Any,
                         out_shape: Any = None, **__: Any) -> int:
    """Counts a weighted embedding bag: every index multiplies one row."""
    return 2 * indices_shape[0] * weight_shape[1]


def _attention_backward_flops(grad_shape: Sequence[int], query_shape: Sequence[int], key_shape: Sequence[int],
                              value_shape: Sequence[int], *_: Any, out_shape: Any = None, **__: Any) -> int:
    """Counts the gradients of both products, and the logits that are computed once more."""
    return sdpa_backward_flop_count(grad_shape, query_shape, key_shape, value_shape)


# Operators that torch's counter does not know; of the attention kernels it knows those for GPUs only.
UNKNOWN_TO_TORCH: Dict[Any, Any] = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
    torch.ops.aten._embedding_bag: _embedding_bag_flops,
    torch.ops.aten._embedding_bag_forward_only: _embedding_bag_flops}
