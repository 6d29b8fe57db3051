"""A point cloud becomes a BEV map: voxels, features of a voxel, encoder, dense map."""
from .few_rows_norm import FewRowsNorm
from .lidar_branch import LidarBranch
from .pillar_encoder import PillarEncoder
from .pillar_feature_net import PillarFeatureNet
from .sparse_encoder import GeminiSparseEncoder
from .voxel_feature_mean import VoxelFeatureMean
from .voxelization import DynamicVoxelization, HardVoxelization

__all__ = ['DynamicVoxelization', 'FewRowsNorm', 'GeminiSparseEncoder', 'HardVoxelization',
           'LidarBranch', 'PillarEncoder', 'PillarFeatureNet', 'VoxelFeatureMean']
