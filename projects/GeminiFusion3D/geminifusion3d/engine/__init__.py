"""Training and testing over mmengine's Runner: checkpoints, determinism, clear mistakes."""
from ..checkpoints.checkpoint_file import read_checkpoint, register_safe_globals
from .checkpoint_hook import GeminiCheckpointHook
from .ema_hook import GeminiEMAHook
from .inference_hook import GeminiInferenceHook
from .logger_hook import GeminiLoggerHook
from .loss_hooks import GeminiFiniteLossHook, GeminiLossCurveHook
from .optim_wrapper import GeminiOptimWrapper, GeminiOptimWrapperConstructor
from .runner import GeminiRunner
from .seed_hook import GeminiSeedHook

register_safe_globals()

__all__ = ['GeminiCheckpointHook', 'GeminiEMAHook', 'GeminiFiniteLossHook', 'GeminiInferenceHook',
           'GeminiLoggerHook', 'GeminiLossCurveHook', 'GeminiOptimWrapper', 'GeminiOptimWrapperConstructor',
           'GeminiRunner', 'GeminiSeedHook', 'read_checkpoint', 'register_safe_globals']
