"""The comparison: GeminiFusion in which only the LiDAR map reads the other."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(directions='lidar_from_camera'))
