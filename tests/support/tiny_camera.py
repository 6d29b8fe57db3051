"""The demo's camera branch alone, on the small grid that is not square."""
from typing import Any, Sequence

import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_detector import CONFIG, SMALL_GRID, make_meta

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig


def build_camera_branch(**changed: Any) -> torch.nn.Module:
    """Builds the branch with some of its arguments changed."""
    init_default_scope('mmdet3d')
    config = Config.fromfile(CONFIG).model.camera_branch
    torch.manual_seed(0)
    return MODELS.build({**config, 'bev_grid': BEVGrid.from_config(SMALL_GRID), **changed})


def make_rig(samples: int = 1, *, is_present: Sequence[bool] = (True,) * 6) -> CameraRig:
    """Returns the rig of a batch of equal samples."""
    return CameraRig.from_metas([{**make_meta(), 'camera_present': list(is_present)}] * samples,
                                device=torch.device('cpu'))
