"""mmdet3d's point clouds without its copies, each of which costs as much as reading a sweep."""
import torch
from mmdet3d.structures import BasePoints, LiDARPoints


def lidar_points(tensor: torch.Tensor) -> LiDARPoints:
    """Returns LiDARPoints that hold a tensor itself, which mmdet3d's constructor copies.

    Args:
        tensor: (N, C) float32; x, y, z first.
    """
    return with_tensor(LiDARPoints(tensor[:0], points_dim=tensor.shape[1]), tensor)


def with_tensor(points: BasePoints, tensor: torch.Tensor) -> BasePoints:
    """Returns points of the same kind that hold another tensor itself.

    Args:
        points: left as they are.
        tensor: (N, C) float32, of as many columns.
    """
    others = points.new_point(tensor[:0])
    others.tensor = tensor
    return others
