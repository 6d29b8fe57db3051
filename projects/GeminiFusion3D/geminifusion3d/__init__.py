"""GeminiFusion3D: camera-LiDAR 3D detection with GeminiFusion, a plugin for MMDetection3D.

Importing the package where mmengine is already imported makes everything that begins with Gemini known to
mmdet3d's registries; elsewhere `register` does, so that a command which only reads files starts at once.
"""
import sys
import warnings
from importlib import import_module

_REGISTERED = f'{__name__}.registered'


def register() -> None:
    """Adds the plugin to the places that mmdet3d's registries import when first asked.

    The modules themselves load then: mmdet3d's models take many seconds to import. A registry that was asked
    before, or that keeps no such list, gets the plugin at once.
    """
    from mmdet3d.registry import DATASETS, HOOKS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS

    # spconv 2.3.6 does what current torch calls outdated; no user can mend that. Its results are tested.
    warnings.filterwarnings('ignore', message=r'`torch\.cuda\.amp\.custom_', category=FutureWarning)
    warnings.filterwarnings('ignore', message='Using a non-tuple sequence', module=r'spconv\.')
    for registry in (DATASETS, HOOKS, METRICS, MODELS, OPTIM_WRAPPERS, TRANSFORMS):
        locations = getattr(registry, '_locations', None)
        if locations is None or getattr(registry, '_imported', True):
            import_module(_REGISTERED)
        elif _REGISTERED not in locations:
            locations.append(_REGISTERED)


if 'mmengine' in sys.modules:
    register()
