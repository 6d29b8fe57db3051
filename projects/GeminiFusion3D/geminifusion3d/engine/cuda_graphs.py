"""Records the parts of a detector whose shapes stay the same as CUDA graphs, to predict with.

One sample takes as long as the CPU needs to launch the kernels of its dense layers; a graph launches those of
a part at once. Nothing is compiled, and numbers are those of the same kernels.
Source: CUDA graphs of PyTorch, https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""
from typing import Any, Callable, Dict, Hashable, List, NamedTuple, Tuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from ..errors import UserError
from .compiled_parts import DENSE_PARTS, FasterForward, find_parts

GRAPHED_PARTS = (*DENSE_PARTS, 'camera_branch.depth_net', 'camera_branch.depthnet',
                 'camera_branch.downsample', 'camera_align', 'lidar_align', 'radar_align')
# Kernels choose their algorithms, and constants come into being, before a graph is recorded.
WARM_UPS = 3
# Each graph keeps memory for all that its part computes: further shapes run as they are.
MOST_SHAPES = 4
# Runs a function, returns what runs it again, and its result, which that overwrites.
Recorder = Callable[[Callable[[], Any]], Tuple[Callable[[], None], Any]]


class Recorded(NamedTuple):
    """A graph of a part.

    Attributes:
        inputs: what the graph reads.
        replay: computes the result from them.
        result: what the part returned, overwritten by each replay.
    """

    inputs: List[Tensor]
    replay: Callable[[], None]
    result: Any


class GraphedForward:
    """A forward that is recorded at its first call with tensors of some shapes, and replayed at later ones.

    What it returns is overwritten by the next call with the same shapes. Where gradients are wanted, or
    tensors are on different devices, the forward runs as it is.

    Args:
        forward: of a part in evaluation mode; may read tensors in any lists, tuples and dictionaries.
        record: see Recorder.
    """

    def __init__(self, forward: Callable[..., Any], record: Recorder) -> None:
        self.forward, self.record = forward, record
        self.recorded: Dict[Hashable, Recorded] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Copies the inputs to where the graph reads them, and replays it."""
        leaves, structure = tree_flatten((args, kwargs))
        places = [index for index, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        tensors = [leaves[index] for index in places]
        # Graphs are as different as the inputs' layouts, and what autocast makes of the same inputs.
        key = (str(structure), torch.is_inference_mode_enabled(),
               *((one.shape, one.stride(), one.dtype, one.device) if isinstance(one, Tensor) else repr(one)
                 for one in leaves),
               *(_autocast(one.device.type) for one in tensors[:1]))
        is_new = key not in self.recorded
        if torch.is_grad_enabled() or len({one.device for one in tensors}) != 1 \
                or is_new and len(self.recorded) >= MOST_SHAPES:
            return self.forward(*args, **kwargs)
        if is_new:
            inputs = [torch.empty_like(one).copy_(one) for one in tensors]
            for index, one in zip(places, inputs):
                leaves[index] = one
            own_args, own_kwargs = tree_unflatten(leaves, structure)
            self.recorded[key] = Recorded(inputs, *self.record(lambda: self._run(own_args, own_kwargs)))
        found = self.recorded[key]
        for own, given in zip(found.inputs, tensors):
            own.copy_(given, non_blocking=True)
        found.replay()
        return found.result

    def _run(self, args: Tuple[Any, ...], kwargs: Dict[str, Any]) -> Any:
        device_type = tree_flatten((args, kwargs))[0][0].device.type
        is_enabled, dtype = _autocast(device_type)
        # Weights that autocast has cast for others would be gone when the graph is replayed.
        with torch.autocast(device_type, dtype=dtype, enabled=is_enabled, cache_enabled=False):
            return self.forward(*args, **kwargs)


def _autocast(device_type: str) -> Tuple[bool, torch.dtype]:
    return torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)


def record_cuda_graph(work: Callable[[], Any]) -> Tuple[Callable[[], None], Any]:
    """Records a function on the current GPU; it must not wait for the device. See Recorder.

    Args:
        work: runs kernels on tensors that stay where they are.
    """
    here, aside = torch.cuda.current_stream(), torch.cuda.Stream()
    aside.wait_stream(here)
    with torch.cuda.stream(aside):
        for _ in range(WARM_UPS):
            work()
    here.wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Other threads may pin memory meanwhile, as those of data loaders do.
    with torch.cuda.graph(graph, capture_error_mode='thread_local'):
        result = work()
    return graph.replay, result


def graph_parts(model: nn.Module) -> List[str]:
    """Lets the static parts of every detector in a model be recorded at their first calls, in place.

    Weights of their two-dimensional convolutions take the layout of the maps, channels-last.

    Args:
        model: a detector, or what wraps one; on its device, in evaluation mode.

    Returns:
        The names of the parts.

    Raises:
        UserError: if the model is on a CPU, or takes part in training.
    """
    parameter = next(model.parameters())
    if not parameter.is_cuda or model.training:
        raise UserError('--cuda-graphs is for predicting on a GPU, got a model '
                        + ('in training mode' if parameter.is_cuda else f'on {parameter.device}')
                        + '; leave it out')
    names = []
    for name, part in find_parts(model, GRAPHED_PARTS):
        for layer in part.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                layer.to(memory_format=torch.channels_last)
        part.forward = FasterForward(part.forward, GraphedForward(part.forward, record_cuda_graph),
                                     name=name, flag='--cuda-graphs')
        names.append(name)
    return names
