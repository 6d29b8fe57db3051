"""Finds where a program waits for its device: operators whose result the CPU must know before it goes on."""
import traceback
from collections import Counter
from typing import Any, List

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# A number brought to Python; a result whose size depends on values; a tensor of numbers from Python.
WAITING = ('_local_scalar_dense', 'lift_fresh', 'nonzero', 'masked_select', '_unique', '_unique2',
           'unique_dim', 'unique_consecutive', 'unique_dim_consecutive', 'equal', 'is_nonzero')
OURS = 'geminifusion3d'


class HostWaits(TorchDispatchMode):
    """Counts, on any device, the operators that would make the CPU wait for a GPU.

    Copies between devices are counted where there is more than one device to copy between; operators of
    other libraries that wait inside are not seen.

    Attributes:
        places: how often each place of the package (file:function) waited.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places: 'Counter[str]' = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operator and looks at it."""
        result = func(*args, **(kwargs or {}))
        if _waits(func, args) or _leaves_device(args, result):
            self.places[_place()] += 1
        return result


def _waits(func: Any, args: Any) -> bool:
    name = func.overloadpacket.__name__
    if name in WAITING:
        return True
    # An index of booleans becomes their positions, whose number the CPU must know.
    indices: List[Any] = tree_leaves(args[1]) if name in ('index', 'index_put', 'index_put_') else []
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _leaves_device(args: Any, result: Any) -> bool:
    given = [leaf for leaf in tree_leaves(args) if isinstance(leaf, Tensor)]
    return (isinstance(result, Tensor) and result.device.type == 'cpu'
            and any(tensor.device.type == 'cuda' for tensor in given))


def _place() -> str:
    """Returns the innermost function of the package, and what it belongs to."""
    for frame in reversed(traceback.extract_stack()):
        _, is_ours, file = frame.filename.rpartition(f'/{OURS}/')
        if is_ours:
            return f'{file.removesuffix(".py")}:{frame.name}'
    return 'elsewhere'
