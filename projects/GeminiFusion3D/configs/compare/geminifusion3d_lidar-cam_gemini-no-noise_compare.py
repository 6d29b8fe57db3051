"""The comparison: GeminiFusion without layer-adaptive noise.

Why: the paper says that the noise keeps a cell from attending to itself alone.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(noise=False))
