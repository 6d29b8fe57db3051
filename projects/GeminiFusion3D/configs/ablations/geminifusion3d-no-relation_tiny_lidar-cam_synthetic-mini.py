"""Ablation of the demo: GeminiFusion without relation score; the cross key is the twin's own feature."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(relation=False))
