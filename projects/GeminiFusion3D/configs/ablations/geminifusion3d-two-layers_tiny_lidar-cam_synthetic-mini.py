"""Ablation of the demo: two layers of GeminiFusion, each with noise and weights of its own."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(layers=2))
