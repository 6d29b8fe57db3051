"""mmengine's log, whose file of a test's metrics has one writer."""
from typing import Dict, Optional

from mmdet3d.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import LoggerHook
from mmengine.runner import Runner


@HOOKS.register_module()
class GeminiLoggerHook(LoggerHook):
    """As mmengine's; of several processes the first alone writes the metrics of a test.

    In mmengine 0.10.7 (mmengine/hooks/logger_hook.py `after_test_epoch`) all of them write the same file at
    once, and what is left of two texts of different length is no JSON.
    """

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        """Says and writes the metrics of a test."""
        super().after_test_epoch(runner, metrics)
