"""Ablation of the demo: GeminiFusion merged by concatenation and convolution instead of softmax(alpha)."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(merge='concat'))
