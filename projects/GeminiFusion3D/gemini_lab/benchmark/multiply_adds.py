"""Multiply-adds of a call: its matrix products, convolutions and attention products, as it runs them."""
from typing import Any, Callable

from torch.utils.flop_counter import FlopCounterMode

from ..cost.model_cost import UNKNOWN_TO_TORCH


def multiply_adds(call: Callable[[], Any]) -> int:
    """Runs a call once and counts; what works number by number (norms, softmax, sums) counts nothing."""
    with FlopCounterMode(display=False, custom_mapping=UNKNOWN_TO_TORCH) as counter:
        call()
    # A multiply-add is two floating point operations.
    return counter.get_total_flops() // 2
