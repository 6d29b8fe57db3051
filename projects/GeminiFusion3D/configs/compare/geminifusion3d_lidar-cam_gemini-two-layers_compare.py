"""The comparison: two layers of GeminiFusion."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(layers=2))
