"""Ablation of the demo: GeminiFusion in one direction; only the LiDAR map is enriched."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
model = dict(fuser=dict(directions='lidar_from_camera'))
