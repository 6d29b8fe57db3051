"""The comparison: GeminiFusion that starts and ends as the official KITTI branch, with a ReLU behind the sum.

Why: the only published 3D detector with GeminiFusion has it so.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(init='kitti', activation='relu'))
