"""`--compile`: compiles the static parts of the detector before a test run."""
import argparse

from mmdet3d.registry import HOOKS
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from .compiled_parts import compile_parts

HELP = ('compile the parts with fixed shapes (image backbone, fuser, BEV backbone, head) with torch.compile, '
        'on a GPU as CUDA graphs; the first sample takes minutes, results differ in the last digits')


@HOOKS.register_module()
class GeminiCompileHook(Hook):
    """Compiles once, before the first test run."""

    # After the hooks that wrap or replace the model.
    priority = 'VERY_LOW'

    def before_test(self, runner: Runner) -> None:
        """Compiles.

        Args:
            runner: whose model is tested.
        """
        names = compile_parts(runner.model)
        if names:
            runner.logger.info(f'compiled at their first call: {", ".join(names)}')


def add_compile_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the flag."""
    parser.add_argument('--compile', action='store_true', help=HELP)


def compile_in_tests(cfg: Config, is_wanted: bool) -> None:
    """Adds the hook to a config.

    Args:
        cfg: its `custom_hooks` change.
        is_wanted: what --compile got.
    """
    if is_wanted:
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type='GeminiCompileHook')]
