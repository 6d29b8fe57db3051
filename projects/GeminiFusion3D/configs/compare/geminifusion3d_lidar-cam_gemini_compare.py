"""The comparison: GeminiFusion as published for KITTI, one layer, softmax(alpha) sum."""
_base_ = ['../_base_/compare.py']
