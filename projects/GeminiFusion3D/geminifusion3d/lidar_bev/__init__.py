"""A point cloud becomes a BEV map: voxels, features per voxel, encoder, dense map."""
from .lidar_branch import DynamicVoxelization, HardVoxelization, LidarBranch
from .pillar_encoder import PillarEncoder
from .sparse_encoder import GeminiSparseEncoder
from .sweep_motion import SweepMotion
from .voxel_encoders import PillarFeatureNet, VoxelFeatureMean, VoxelNorm

__all__ = ['DynamicVoxelization', 'GeminiSparseEncoder', 'HardVoxelization', 'LidarBranch',
           'PillarEncoder', 'PillarFeatureNet', 'SweepMotion', 'VoxelFeatureMean', 'VoxelNorm']
