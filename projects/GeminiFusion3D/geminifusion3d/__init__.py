"""GeminiFusion3D: camera-LiDAR 3D detection with GeminiFusion, a plugin for MMDetection3D.

Importing the package loads neither torch nor mmdet3d. `register()` makes everything that begins with
Gemini known to mmdet3d's registries; recipes do so by `custom_imports`, and where mmengine is already
in use the import does so itself. The public names load when they are first asked for:

    from geminifusion3d import BEVGrid, GeminiFusion
"""
import sys
import warnings
from importlib import import_module
from typing import Any, List

from .one_package import install_aliases
from .process import ensure_home, limit_spinning, spare_kernels

__version__ = '0.1.0'

_PUBLIC = {
    'BEVGrid': '.geometry.bev_grid',
    'CameraRig': '.geometry.camera_rig',
    'Detections': '.inference',
    'Detector': '.inference',
    'GeminiAddFuser': '.fusion',
    'GeminiBEVFusionLayer': '.fusion',
    'GeminiConvFuser': '.fusion',
    'GeminiCrossAttention': '.fusion',
    'GeminiFusion': '.fusion',
    'GeminiFusion3D': '.detector',
    'GeminiGatedMaxFusion': '.fusion',
    'GeminiNWayFusion': '.fusion',
    'GeminiNuScenesDataset': '.sensors',
    'GeminiNuScenesMetric': '.results.nuscenes_metric',
    'GeminiTokenExchange': '.fusion',
    'GeminiTwoStreamSECOND': '.fusion',
    'Sample': '.inference',
    'UserError': '.errors'}
__all__ = [*_PUBLIC, 'register']


def register() -> None:
    """Add the models, datasets, transforms, metrics and hooks to mmdet3d's registries; once is enough."""
    import_module('.registered', __name__)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(_PUBLIC[name], __name__), name)


def __dir__() -> List[str]:
    return sorted({*globals(), *_PUBLIC})


install_aliases(__name__, __path__[0])
# spconv 2.3.6 does what current torch calls outdated; no user can mend that. Its results are tested.
warnings.filterwarnings('ignore', message=r'`torch\.cuda\.amp\.custom_', category=FutureWarning)
warnings.filterwarnings('ignore', message='Using a non-tuple sequence', module=r'spconv\.')
# Before anything below imports torch or mmengine.
limit_spinning()
ensure_home()
spare_kernels()
if 'mmengine' in sys.modules:
    register()
