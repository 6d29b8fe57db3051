"""Both branches on one grid."""
from .align_bev import AlignBEV

__all__ = ['AlignBEV']
