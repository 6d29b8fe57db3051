"""A small MVX-Net, summed behind every layer, on the synthetic world in KITTI's format.

Why: the control that the paper lacks; most of its added parameters are this second fusion, not GeminiFusion.
"""
_base_ = ['../_base_/kitti_tiny.py']
model = dict(pts_voxel_encoder=dict(fuse_every_layer=True))
