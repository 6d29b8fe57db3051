"""Two maps become one by two shares that sum to one."""
import torch
from torch import Tensor


def weighted_sum(camera: Tensor, lidar: Tensor, shares: Tensor) -> Tensor:
    """Returns the sum of two maps.

    Args:
        camera: of any shape.
        lidar: of the same shape.
        shares: (2,), of camera and LiDAR; must sum to 1.
    """
    if camera.dtype == lidar.dtype == shares.dtype:
        # The same in one pass over the maps, without maps in between.
        return torch.lerp(camera, lidar, shares[1])
    return shares[0] * camera + shares[1] * lidar
