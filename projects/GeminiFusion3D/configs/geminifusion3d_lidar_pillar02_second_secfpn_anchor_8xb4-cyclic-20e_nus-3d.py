"""LiDAR only with 0.2 m pillars and PointPillars' anchors instead of CenterPoint's heat maps.

Why: the classical baseline of the LiDAR branch.
"""
_base_ = [
    './geminifusion3d_lidar_pillar02_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
    './_base_/models/anchor_head.py']
model = dict(bbox_head=dict(_delete_=True, in_channels=512, **_base_.anchor_head))
