"""`--fold-norms`, `--compile`, `--cuda-graphs`: makes a detector ready before a test run, for speed."""
import argparse

import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .compiled_parts import compile_parts
from .cuda_graphs import graph_parts

# Dense parts beside the alignments; a LiDAR branch's convolutions are sparse and keep their norms.
FOLDED = ('camera_branch', 'fuser', 'bev_backbone', 'bev_neck', 'bbox_head', 'seg_head')


def fold_norms(model: nn.Module) -> int:
    """Multiplies batch norms into the convolutions before them, in place; returns how many norms are gone.

    The weights are laid out channels-last too, as all dense maps of the detector are.

    Args:
        model: a detector, or what wraps one, with its final weights; it can only predict afterwards.
    """
    # mmdet3d's models take seconds to import, which commands that fold nothing need not wait for.
    from ..detector import GeminiFusion3D
    before = _count(model)
    model = model.module if is_model_wrapper(model) else model
    for detector in [part for part in model.modules() if isinstance(part, GeminiFusion3D)]:
        for name in (*FOLDED, *(f'{sensor}_align' for sensor in detector.sensors)):
            part = getattr(detector, name, None)
            if part is not None:
                setattr(detector, name, fuse_conv_bn(part.eval()).to(memory_format=torch.channels_last))
    return before - _count(model)


def _count(model: nn.Module) -> int:
    return sum(isinstance(part, _BatchNorm) for part in model.modules())


@HOOKS.register_module()
class GeminiInferenceHook(Hook):
    """Changes the model once, before the first test run.

    Args:
        fold: multiply batch norms into convolutions.
        compile_dense: compile the parts with fixed shapes.
        graphs: record them as CUDA graphs.
    """

    # After the hooks that wrap or replace the model.
    priority = 'VERY_LOW'

    def __init__(self, *, fold: bool = False, compile_dense: bool = False, graphs: bool = False) -> None:
        self.fold, self.compile_dense, self.graphs = fold, compile_dense, graphs

    def before_test(self, runner: Runner) -> None:
        """Folds, compiles and records."""
        if self.fold:
            runner.logger.info(f'norms multiplied into convolutions: {fold_norms(runner.model)}')
        names = compile_parts(runner.model) if self.compile_dense else []
        if names:
            runner.logger.info(f'compiled at their first call: {", ".join(names)}')
        if self.graphs:
            names = graph_parts(runner.model.eval())
            runner.logger.info(f'recorded as CUDA graphs at their first call: {", ".join(names)}')


def speed_up_tests(cfg: Config, arguments: argparse.Namespace) -> None:
    """Adds what the flags ask for to a config."""
    wanted = dict(fold=getattr(arguments, 'fold_norms', False),
                  compile_dense=getattr(arguments, 'compile', False),
                  graphs=getattr(arguments, 'cuda_graphs', False))
    if any(wanted.values()):
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='GeminiInferenceHook', **wanted)]
