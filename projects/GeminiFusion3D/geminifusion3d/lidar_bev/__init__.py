"""A point cloud becomes a BEV map: voxels, sparse encoder, dense map."""
from .lidar_branch import LidarBranch
from .sparse_encoder import GeminiSparseEncoder

__all__ = ['GeminiSparseEncoder', 'LidarBranch']
