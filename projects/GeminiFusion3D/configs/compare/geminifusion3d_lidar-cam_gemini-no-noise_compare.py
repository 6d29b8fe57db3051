"""The comparison: GeminiFusion without layer-adaptive noise."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(noise=False))
