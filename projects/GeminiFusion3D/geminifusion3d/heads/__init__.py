"""Heads on the shared grid: detection, and segmentation of cells."""
from .anchor_head import GeminiAnchor3DHead, GeminiPlainAnchor3DHead
from .center_head import GeminiCenterHead
from .losses import GeminiMaskedL1Loss
from .segmentation_head import GeminiSegmentationHead
from .transfusion_head import GeminiTransFusionHead

__all__ = ['GeminiAnchor3DHead', 'GeminiCenterHead', 'GeminiMaskedL1Loss', 'GeminiPlainAnchor3DHead',
           'GeminiSegmentationHead', 'GeminiTransFusionHead']
