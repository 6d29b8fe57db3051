"""The comparison: the layer of any number of sensors, given two.

Why: the control of lidar-cam-radar_n-way: same fuser, same budget, no radar.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(
    _delete_=True, type='GeminiNWayFusion', channels=_base_.fused_channels, modalities=2, heads=4))
