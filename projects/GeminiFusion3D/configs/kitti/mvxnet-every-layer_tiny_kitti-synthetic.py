"""MVX-Net, small, on the synthetic world in KITTI's format, picture and points added behind every layer of the voxel encoder.

Why: the control that the paper lacks; most of its added parameters are this second fusion, not GeminiFusion.
"""
_base_ = ['../_base_/kitti_tiny.py']
model = dict(pts_voxel_encoder=dict(fuse_every_layer=True))
