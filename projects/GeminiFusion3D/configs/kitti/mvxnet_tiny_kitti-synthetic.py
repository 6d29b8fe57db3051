"""A small MVX-Net, summed behind the last layer, on the synthetic world in KITTI's format.

Why: the baseline that GeminiFusion's 3D experiment starts from.
"""
_base_ = ['../_base_/kitti_tiny.py']
