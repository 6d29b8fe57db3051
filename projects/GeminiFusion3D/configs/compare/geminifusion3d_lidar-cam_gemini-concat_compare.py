"""The comparison: GeminiFusion whose outputs are concatenated and projected.

Why: tells whether the softmax(alpha) sum loses something that a convolution would keep.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(merge='concat'))
