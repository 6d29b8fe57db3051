"""`--fold-norms`, `--compile`, `--cuda-graphs`: makes a detector ready before a test run, for speed."""
import argparse

from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .compiled_parts import compile_parts
from .cuda_graphs import graph_parts
from .folded_norms import fold_norms


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
