"""What every fuser asks of its two maps."""
from torch import Tensor


def check_same_cells(camera_bev: Tensor, lidar_bev: Tensor) -> None:
    """Raises ValueError unless both maps are of one batch and of the same rows and columns."""
    if len(camera_bev) != len(lidar_bev) or camera_bev.shape[-2:] != lidar_bev.shape[-2:]:
        raise ValueError(f'a fuser needs maps of the same cells, got camera {tuple(camera_bev.shape)} '
                         f'and LiDAR {tuple(lidar_bev.shape)}; align them first')


def check_same_shape(camera_bev: Tensor, lidar_bev: Tensor) -> None:
    """Raises ValueError unless both maps are of one shape, channels included."""
    if camera_bev.shape != lidar_bev.shape:
        raise ValueError(f'this fuser needs maps of one shape, got camera {tuple(camera_bev.shape)} '
                         f'and LiDAR {tuple(lidar_bev.shape)}; align them first')
