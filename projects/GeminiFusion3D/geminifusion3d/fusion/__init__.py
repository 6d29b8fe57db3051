"""Camera BEV and LiDAR BEV become one map."""
from .add_fuser import GeminiAddFuser
from .conv_fuser import GeminiConvFuser
from .gemini_fusion import GeminiFusion

__all__ = ['GeminiAddFuser', 'GeminiConvFuser', 'GeminiFusion']
