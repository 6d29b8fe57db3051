"""mmdet3d's own `--amp` with GeminiOptimWrapper: its tools ask for mmengine's wrappers by name."""
from typing import Any, Mapping, Optional

import torch
from mmdet3d.registry import OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.optim import DefaultOptimWrapperConstructor


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class GeminiOptimWrapperConstructor(DefaultOptimWrapperConstructor):
    """Build a GeminiOptimWrapper where the config says OptimWrapper or AmpOptimWrapper.

    mmdet3d's tools/train.py refuses `--amp` unless the config says OptimWrapper, and writes AmpOptimWrapper.
    That becomes bf16, which scales no loss, on a CPU and on a GPU that computes it, else fp16; a precision
    that the recipe names stays.

    Args:
        optim_wrapper_cfg: the config's `optim_wrapper` without `constructor`.
        paramwise_cfg: as in mmengine's DefaultOptimWrapperConstructor.
    """

    def __init__(self, optim_wrapper_cfg: Mapping[str, Any],
                 paramwise_cfg: Optional[Mapping[str, Any]] = None) -> None:
        cfg = dict(optim_wrapper_cfg)
        if cfg['type'] == 'AmpOptimWrapper':
            cfg.pop('loss_scale', None)
            if cfg.get('precision', 'fp32') == 'fp32':
                has_bf16 = not torch.cuda.is_available() or torch.cuda.is_bf16_supported(
                    including_emulation=False)
                cfg['precision'] = 'bf16' if has_bf16 else 'fp16'
        if cfg['type'] in ('OptimWrapper', 'AmpOptimWrapper'):
            cfg['type'] = 'GeminiOptimWrapper'
        super().__init__(cfg, paramwise_cfg)
