"""Ablation of the demo: GeminiFusion without layer-adaptive noise."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(noise=False))
