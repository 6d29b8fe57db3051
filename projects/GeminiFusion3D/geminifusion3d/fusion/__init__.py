"""Camera BEV and LiDAR BEV become one map."""
from .bevfusion_layer import GeminiBEVFusionLayer
from .cell_encoding import GeminiCellEncoding
from .cross_attention import GeminiCrossAttention
from .gemini_fusion import GeminiFusion
from .n_way import GeminiGatedMaxFusion, GeminiNWayFusion
from .reliability_gate import GeminiReliabilityGate
from .token_exchange import GeminiTokenExchange
from .two_maps import GeminiAddFuser, GeminiConvFuser
from .two_stream import GeminiTwoStreamFPN, GeminiTwoStreamSECOND

__all__ = ['GeminiAddFuser', 'GeminiBEVFusionLayer', 'GeminiCellEncoding', 'GeminiConvFuser',
           'GeminiCrossAttention', 'GeminiFusion', 'GeminiGatedMaxFusion', 'GeminiNWayFusion',
           'GeminiReliabilityGate', 'GeminiTokenExchange', 'GeminiTwoStreamFPN', 'GeminiTwoStreamSECOND']
