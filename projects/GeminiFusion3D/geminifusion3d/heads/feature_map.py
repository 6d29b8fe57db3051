"""What every head asks of the map it is given: that it lies on the model's grid."""
from torch import Tensor

from ..geometry.bev_grid import BEVGrid


def check_on_grid(feature_map: Tensor, bev_grid: BEVGrid) -> None:
    """Checks the shape of a head's input.

    Args:
        feature_map: (B, C, Y, X).
        bev_grid: the model's grid.

    Raises:
        ValueError: if (Y, X) is not the grid's: transposed, or of another size.
    """
    shape_yx = tuple(feature_map.shape[-2:])
    if shape_yx != bev_grid.shape_yx:
        raise ValueError(f'the head\'s feature map must have the grid\'s (Y, X) = {bev_grid.shape_yx}, '
                         f'got {shape_yx}; the strides of bev_backbone and bev_neck must cancel')
