"""Counts what a step asks of a GPU, on a machine without one: launches, bytes, waits, by stage.

The model and its batch are meta tensors: they have shapes and no numbers, and pass for a GPU's, so that the
code takes its way through CUDA. An operator that makes or changes numbers counts as one launch, and moves the
bytes of each tensor that it takes and makes once; a Triton kernel likewise, and a sparse convolution.
Operators that tell the CPU something, and copies that are not `non_blocking`, are waits. Where a size depends
on numbers (points in range, voxels), that of the CPU's run counts.
"""
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import torch
from spconv.pytorch.conv import SparseConvolution
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

META = torch.device('meta')
# They neither compute nor copy; views are known by torch itself.
FREE = {'detach', 'alias', 'lift_fresh', '_unsafe_view', '_reshape_alias', 'set_', 'resize_', 'record_stream',
        'empty', 'empty_like', 'empty_strided', 'new_empty', 'new_empty_strided'}
# Their results depend on numbers, which the CPU fetches.
WAITING = {'nonzero', '_local_scalar_dense', 'masked_select', '_unique2', 'equal'}


@dataclass
class Count:
    """What a stage asks for.

    Attributes:
        launches: operators and kernels.
        moved_bytes: in and out of them.
        waits: how often each place, file:line, waits for the device.
    """

    launches: int = 0
    moved_bytes: int = 0
    waits: Counter = field(default_factory=Counter)


class LaunchCounter(TorchDispatchMode):
    """While it is entered, counts what is done to meta tensors.

    Args:
        stage: returns the name of the stage that runs.

    Attributes:
        by_stage: the counts.
    """

    def __init__(self, stage: Callable[[], str]) -> None:
        super().__init__()
        self.stage = stage
        self.by_stage: Dict[str, Count] = {}
        # Of a CPU's run: how many elements of a mask of so many are true; rows and shape of each convolution.
        self.n_true: Dict[int, int] = {}
        self.sites: Dict[nn.Module, Tuple[int, List[int]]] = {}

    @property
    def count(self) -> Count:
        """What the running stage has asked for so far."""
        return self.by_stage.setdefault(self.stage(), Count())

    def launch(self, *tensors: Any) -> None:
        """Counts a launch that takes and makes these tensors.

        Args:
            *tensors: those on the CPU do not count; nested lists are welcome.
        """
        on_device = {id(one): one for one in tree_leaves(tensors) if isinstance(one, Tensor) and one.is_meta}
        self.count.launches += 1
        # A tensor that repeats itself holds less than it shows.
        self.count.moved_bytes += sum(
            min(one.numel() * one.element_size(), one.untyped_storage().nbytes())
            for one in on_device.values())

    def wait(self) -> None:
        """Counts a wait at the innermost line that is none of PyTorch's."""
        frame = sys._getframe(1)
        while frame.f_back and ('/torch/' in frame.f_code.co_filename
                                or frame.f_code.co_filename == __file__):
            frame = frame.f_back
        self.count.waits[f'{Path(frame.f_code.co_filename).name}:{frame.f_lineno}'] += 1

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func.overloadpacket.__name__
        taken = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        if not any(one.is_meta for one in taken) and torch.device(kwargs.get('device') or 'cpu') != META:
            result = func(*args, **kwargs)
            if name == 'nonzero':
                self.n_true[args[0].numel()] = len(result)
            return result
        with self:
            # In inference mode what is made of other operators comes whole.
            result = func.decompose(*args, **kwargs)
        if result is not NotImplemented:
            return result
        if func.is_view or name in FREE:
            return func(*args, **kwargs)
        if name in ('_to_copy', 'copy_') and self._crosses(name, taken, kwargs):
            return self._copy_across(name, args, kwargs)
        if name in WAITING or name == 'repeat_interleave' and kwargs.get('output_size') is None:
            self.wait()
        if name in ('index', 'index_put', 'index_put_'):
            args = (args[0], self._rows_of_masks(args[1]), *args[2:])
        if name.startswith('_fused_'):
            # An optimiser's step in one kernel, which returns nothing.
            return self.launch(args)
        result = self._known(name, args, kwargs)
        result = func(*args, **kwargs) if result is None else result
        self.launch(args, kwargs, result)
        return result

    def _crosses(self, name: str, taken: List[Tensor], kwargs: Dict[str, Any]) -> bool:
        if name == 'copy_':
            return taken[0].is_meta != taken[1].is_meta and taken[1].dim() > 0
        return kwargs.get('device') is not None and taken[0].is_meta != (kwargs['device'] == META)

    def _copy_across(self, name: str, args: Any, kwargs: Dict[str, Any]) -> Tensor:
        """Copies between the CPU and the device; what the CPU gets is ones."""
        is_blocking = not (kwargs.get('non_blocking') or (name == 'copy_' and len(args) > 2 and args[2]))
        if name == '_to_copy':
            made = torch.ones(args[0].shape, dtype=kwargs.get('dtype') or args[0].dtype,
                              device=kwargs['device'])
        else:
            made = args[0]
        self.launch(args[0], made)
        if is_blocking:
            self.wait()
        return made

    def _rows_of_masks(self, indices: Any) -> List[Any]:
        """Turns masks into rows, as an index on a GPU does, which waits to know how many."""
        rows: List[Any] = []
        for one in indices:
            if one is None or one.dtype not in (torch.bool, torch.uint8):
                rows.append(one)
            else:
                self.wait()
                found = self._nonzero(one)
                self.launch(one, found)
                rows += found.unbind(1)
        return rows

    def _nonzero(self, mask: Tensor) -> Tensor:
        return torch.empty(self.n_true.get(mask.numel(), mask.numel()), mask.dim(), dtype=torch.int64,
                           device=META)

    def _known(self, name: str, args: Any, kwargs: Dict[str, Any]) -> Any:
        """Returns what a meta tensor cannot: results that depend on numbers."""
        if name == 'nonzero':
            return self._nonzero(args[0])
        if name == '_local_scalar_dense':
            # True, 1.0, and 0 as the first row of anything.
            return 0 if _is_integer(args[0]) else torch.ones((), dtype=args[0].dtype).item()
        if name == 'masked_select':
            return args[0].new_empty(len(self._nonzero(args[1])))
        if name == '_unique2':
            return args[0].flatten(), *(torch.empty(args[0].shape, dtype=torch.int64, device=META),) * 2
        if name == 'equal':
            return True
        return None


def _is_integer(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and tensor.dtype != torch.bool


class _Copies(TorchFunctionMode):
    """Counts tensors made of Python's numbers on the device, which the operators below do not show."""

    def __init__(self, counter: LaunchCounter) -> None:
        super().__init__()
        self.counter = counter

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in (torch.tensor, torch.as_tensor, Tensor.new_tensor) and result.is_meta \
                and not isinstance(args[-1], Tensor):
            self.counter.launch(result)
            self.counter.wait()
        return result


class _SparseProduct(torch.autograd.Function):
    """A sparse convolution's launches: one product forwards, two backwards."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, rows: int, counter: LaunchCounter) -> Tensor:
        """Counts the product; the result has the right shape."""
        ctx.save_for_backward(features, weight)
        ctx.counter = counter
        made = torch.empty(rows, weight.shape[0], device=META)
        counter.launch(features, weight, made)
        return made

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        """Counts one product for the features, one for the weights."""
        features, weight = ctx.saved_tensors
        made = torch.empty_like(features), torch.empty_like(weight)
        ctx.counter.launch(gradient, weight, made[0])
        ctx.counter.launch(gradient, features, made[1])
        return *made, None, None


@contextmanager
def on_the_cpu(counter: LaunchCounter, model: nn.Module) -> Iterator[None]:
    """While entered, what runs on the CPU teaches the counter the sizes that depend on numbers."""
    def learn(layer: Any, args: Any, made: Any) -> None:
        counter.sites[layer] = len(made.features), made.spatial_shape
    hooks = [part.register_forward_hook(learn) for part in model.modules()
             if isinstance(part, SparseConvolution)]
    with counter:
        yield
    for hook in hooks:
        hook.remove()


@contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """While entered, an attribute is another one: PyTorch lets no device but its own pass for a GPU."""
    is_own = name in vars(owner)
    before = vars(owner).get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if is_own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


@contextmanager
def on_the_device(counter: LaunchCounter) -> Iterator[None]:
    """While entered, meta tensors pass for a GPU's, and what is done to them is counted."""
    def convolve(layer: Any, given: Any, add_input: Any = None) -> Any:
        rows, shape = counter.sites[layer]
        if rows != len(given.features):
            counter.wait()
        made = given.shadow_copy().replace_feature(
            _SparseProduct.apply(given.features, layer.weight, rows, counter))
        made.indices, made.spatial_shape = given.indices.new_empty(rows, 4), shape
        return made

    def launch(kernel: Any, *args: Any, grid: Any, warmup: bool, **kwargs: Any) -> None:
        counter.launch(args, kwargs)

    real_autocast = torch.autocast

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return real_autocast('cpu', enabled=False) if device_type == 'meta' else real_autocast(
            device_type, *args, **kwargs)

    with ExitStack() as stack:
        put = stack.enter_context
        put(_replaced(SparseConvolution, 'forward', convolve))
        put(_replaced(torch, 'autocast', autocast))
        put(_replaced(torch, 'is_autocast_enabled', lambda *device: False))
        for method in ('__init__', '__enter__', '__exit__'):
            put(_replaced(torch.cuda.device, method, lambda *_: None))
        put(_replaced(Tensor, 'is_cuda', property(lambda tensor: tensor.is_meta)))
        for place in map(import_module, ('torch.utils._foreach_utils', 'torch.optim.optimizer')):
            for kind in ('foreach', 'fused'):
                put(_replaced(place, f'_get_{kind}_kernels_supported_devices', lambda: ['meta']))
        try:
            from triton.runtime.jit import JITFunction
        except ImportError:
            pass
        else:
            put(_replaced(JITFunction, 'run', launch))
        put(_Copies(counter))
        put(counter)
        yield
