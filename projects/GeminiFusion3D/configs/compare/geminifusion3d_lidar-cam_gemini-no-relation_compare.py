"""The comparison: GeminiFusion without relation score."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(relation=False))
