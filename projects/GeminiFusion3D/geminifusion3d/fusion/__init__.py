"""Camera BEV and LiDAR BEV become one map."""
from .gemini_fusion import GeminiFusion

__all__ = ['GeminiFusion']
