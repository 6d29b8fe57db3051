"""The comparison: two layers of GeminiFusion, each with noise and weights of its own.

Why: tells whether one exchange per cell is enough.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(layers=2))
