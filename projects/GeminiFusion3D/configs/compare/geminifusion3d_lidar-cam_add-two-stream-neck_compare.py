"""The comparison: two BEV backbones and two necks, summed level by level, without GeminiFusion.

Why: the control of `gemini-two-stream-neck`: what two streams are worth by themselves.
"""
_base_ = ['./geminifusion3d_lidar-cam_gemini-two-stream-neck_compare.py']
model = dict(fuser=dict(exchange=False), bev_neck=dict(exchange=False))
