"""The comparison: GeminiFusion as published for KITTI, one layer, softmax(alpha) sum.

Why: all ablations of this folder change one thing of it.
"""
_base_ = ['../_base_/compare.py']
