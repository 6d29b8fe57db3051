"""Compiles the parts of a detector whose shapes stay the same from sample to sample.

Images to their neck's maps, fuser, BEV backbone, neck and head: on a GPU recorded as CUDA graphs as well
(torch.compile's mode reduce-overhead). What lies between them depends on the points and stays as it is.
"""
import logging
from typing import Any, Callable, List

import torch
from mmengine.logging import print_log
from torch import nn

DENSE_PARTS = ('camera_branch.backbone', 'camera_branch.neck', 'fuser', 'bev_backbone', 'bev_neck',
               'bbox_head', 'seg_head')


class CompiledForward:
    """A forward that is compiled at its first call; where that fails it stays as it was, and says so.

    Args:
        forward: what to compile.
        name: of the part, for the message.
        mode: see torch.compile.
    """

    def __init__(self, forward: Callable[..., Any], *, name: str, mode: str) -> None:
        self.forward, self.name = forward, name
        self.compiled = torch.compile(forward, mode=mode, dynamic=False)
        self.is_compiled = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the compiled forward, the plain one where the compiler could not."""
        if not self.is_compiled:
            return self.forward(*args, **kwargs)
        try:
            return self.compiled(*args, **kwargs)
        except Exception as error:
            # An input that the part itself refuses is refused again here, with its own message.
            result = self.forward(*args, **kwargs)
            self.is_compiled = False
            reason = next(iter(str(error).splitlines()), '')
            print_log(f'--compile: {self.name} could not be compiled ({type(error).__name__}: {reason}); it '
                      'runs as it is, with the same results', logger='current', level=logging.WARNING)
            return result


def compile_parts(model: nn.Module) -> List[str]:
    """Compiles the static parts of every detector in a model, in place.

    Args:
        model: a detector, or what wraps one; on its device, in evaluation mode.

    Returns:
        The names of the parts.
    """
    # mmdet3d's models take seconds to import, which commands that compile nothing need not wait for.
    from ..detector import GeminiFusion3D

    # Pieces that the compiler cannot take run as they are: no reason for pages of its traceback.
    logging.getLogger('torch._dynamo').setLevel(logging.ERROR)
    names = []
    for detector in [part for part in model.modules() if isinstance(part, GeminiFusion3D)]:
        on_gpu = next(detector.parameters()).is_cuda
        if on_gpu:
            # What an earlier sample left in a graph's memory may be overwritten from here on.
            detector.register_forward_pre_hook(
                lambda module, args: torch.compiler.cudagraph_mark_step_begin())
        for name in DENSE_PARTS:
            part = _part(detector, name)
            if part is not None and not isinstance(part.forward, CompiledForward):
                part.forward = CompiledForward(part.forward, name=name,
                                               mode='reduce-overhead' if on_gpu else 'default')
                names.append(name)
    return names


def _part(module: nn.Module, dotted: str) -> Any:
    for name in dotted.split('.'):
        module = getattr(module, name, None)
    return module
