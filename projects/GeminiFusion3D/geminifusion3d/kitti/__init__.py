"""The paper's 3D experiment: MVX-Net with GeminiFusion on KITTI, by mmdet3d's own detector and dataset.

labels and infos bring KITTI's files to mmdet3d's info files, point_fusion, voxel_encoder and mvxnet_parts are
the network, average_precision and metric the scores.
"""
from .dataset import GeminiKittiDataset, GeminiLoadKittiFrame, GeminiPointsInPicture
from .metric import GeminiKittiMetric
from .mvxnet_parts import GeminiDynamicVFE, GeminiMVXPreprocessor, GeminiMVXSparseEncoder, GeminiPointFusion

__all__ = ['GeminiDynamicVFE', 'GeminiKittiDataset', 'GeminiKittiMetric', 'GeminiLoadKittiFrame',
           'GeminiMVXPreprocessor', 'GeminiMVXSparseEncoder', 'GeminiPointFusion', 'GeminiPointsInPicture']
