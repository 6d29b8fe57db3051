"""Multiplies batch norms into the convolutions before them: for predicting only, since nothing learns then.

The weights are laid out channels-last too, as all dense maps of the detector are.
"""
import torch
from mmcv.cnn.utils import fuse_conv_bn
from mmengine.model import is_model_wrapper
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

# Dense parts beside the alignments; a LiDAR branch's convolutions are sparse and keep their norms.
FOLDED = ('camera_branch', 'fuser', 'bev_backbone', 'bev_neck', 'bbox_head', 'seg_head')


def fold_norms(model: nn.Module) -> int:
    """Changes every detector in a model, in place; returns how many norms are gone.

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
