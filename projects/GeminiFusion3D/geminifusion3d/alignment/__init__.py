"""Both branches on one grid."""
from .align_bev import AlignBEV
from .offset_field import OffsetField

__all__ = ['AlignBEV', 'OffsetField']
