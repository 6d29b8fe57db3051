"""Compiles the parts of a detector whose shapes stay the same from sample to sample.

Images to their neck's maps, fuser, BEV backbone, neck and head: on a GPU recorded as CUDA graphs as well
(torch.compile's mode reduce-overhead). What lies between them depends on the points and stays as it is.
"""
import logging
from typing import Any, Callable, Iterator, List, Sequence, Tuple

import torch
from mmengine.logging import print_log
from torch import nn

DENSE_PARTS = ('camera_branch.backbone', 'camera_branch.neck', 'fuser', 'bev_backbone', 'bev_neck',
               'bbox_head', 'seg_head')


class FasterForward:
    """A forward that has a faster form; where that fails it runs as it was from then on, and says so.

    Args:
        forward: the plain form.
        faster: takes and returns the same.
        name: of the part, for the message.
        flag: that asked for it, for the message.
    """

    def __init__(self, forward: Callable[..., Any], faster: Callable[..., Any], *, name: str, flag: str
                 ) -> None:
        self.forward, self.faster, self.name, self.flag = forward, faster, name, flag
        self.is_faster = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the faster form, the plain one where that could not be made."""
        if not self.is_faster:
            return self.forward(*args, **kwargs)
        try:
            return self.faster(*args, **kwargs)
        except Exception as error:
            # An input that the part itself refuses is refused again here, with its own message.
            result = self.forward(*args, **kwargs)
            self.is_faster = False
            reason = next(iter(str(error).splitlines()), '')
            print_log(f'{self.flag}: {self.name} could not be made faster ({type(error).__name__}: '
                      f'{reason}); it runs as it is, with the same results',
                      logger='current', level=logging.WARNING)
            return result


def find_parts(model: nn.Module, names: Sequence[str]) -> Iterator[Tuple[str, Any]]:
    """Yields the parts of every detector in a model that have no faster form yet."""
    for detector in _detectors(model):
        for name in names:
            part = detector
            for step in name.split('.'):
                part = getattr(part, step, None)
            if part is not None and not isinstance(part.forward, FasterForward):
                yield name, part


def compile_parts(model: nn.Module) -> List[str]:
    """Compiles the static parts of every detector in a model, in place, at their first calls.

    Returns their names.
    """
    # Pieces that the compiler cannot take run as they are: no reason for pages of its traceback.
    logging.getLogger('torch._dynamo').setLevel(logging.ERROR)
    on_gpu = next(model.parameters()).is_cuda
    if on_gpu:
        for detector in _detectors(model):
            # What an earlier sample left in a graph's memory may be overwritten from here on.
            detector.register_forward_pre_hook(
                lambda module, args: torch.compiler.cudagraph_mark_step_begin())
    names = []
    for name, part in find_parts(model, DENSE_PARTS):
        compiled = torch.compile(part.forward, mode='reduce-overhead' if on_gpu else 'default', dynamic=False)
        part.forward = FasterForward(part.forward, compiled, name=name, flag='--compile')
        names.append(name)
    return names


def _detectors(model: nn.Module) -> List[Any]:
    # mmdet3d's models take seconds to import, which commands that compile nothing need not wait for.
    from ..detector import GeminiFusion3D

    return [part for part in model.modules() if isinstance(part, GeminiFusion3D)]
