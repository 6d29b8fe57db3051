"""Detection heads on the shared grid."""
from .center_head import GeminiCenterHead
from .masked_l1_loss import GeminiMaskedL1Loss
from .transfusion_head import GeminiTransFusionHead

__all__ = ['GeminiCenterHead', 'GeminiMaskedL1Loss', 'GeminiTransFusionHead']
