"""Ablation of the demo: one layer of GeminiFusion, the fewest there are."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(layers=1))
