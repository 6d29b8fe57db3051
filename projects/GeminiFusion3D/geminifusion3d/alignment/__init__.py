"""Both branches on one grid."""
from .align_bev import AlignBEV
from .neighbourhood import Neighbourhood
from .offset_field import OffsetField

__all__ = ['AlignBEV', 'Neighbourhood', 'OffsetField']
