"""The comparison: GeminiFusion in which only the LiDAR map reads the other.

Why: halves the cost; `directions='camera_from_lidar'` is the other half.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(directions='lidar_from_camera'))
