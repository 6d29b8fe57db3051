"""A small MVX-Net with GeminiFusion behind every layer, on the synthetic world in KITTI's format.

Why: the paper's only 3D experiment.
"""
_base_ = ['../_base_/kitti_tiny.py']
model = dict(pts_voxel_encoder=dict(fuse_every_layer=True, fusion_layer=dict(type='GeminiPointFusion')))
