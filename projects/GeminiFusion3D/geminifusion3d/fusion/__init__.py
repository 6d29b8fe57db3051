"""Camera BEV and LiDAR BEV become one map."""
from .add_fuser import GeminiAddFuser
from .bevfusion_layer import GeminiBEVFusionLayer
from .conv_fuser import GeminiConvFuser
from .cross_attention import GeminiCrossAttention
from .gemini_fusion import GeminiFusion
from .n_way import GeminiGatedMaxFusion, GeminiNWayFusion
from .token_exchange import GeminiTokenExchange
from .two_stream import GeminiTwoStreamSECOND

__all__ = ['GeminiAddFuser', 'GeminiBEVFusionLayer', 'GeminiConvFuser', 'GeminiCrossAttention',
           'GeminiFusion', 'GeminiGatedMaxFusion', 'GeminiNWayFusion', 'GeminiTokenExchange',
           'GeminiTwoStreamSECOND']
