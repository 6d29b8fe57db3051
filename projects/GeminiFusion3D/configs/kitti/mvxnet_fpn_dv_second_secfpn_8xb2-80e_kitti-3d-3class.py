"""MVX-Net on KITTI: picture and points are added once, behind the last layer of the voxel encoder.

Why: the baseline that GeminiFusion's 3D experiment starts from.
"""
_base_ = ['../_base_/kitti.py']
