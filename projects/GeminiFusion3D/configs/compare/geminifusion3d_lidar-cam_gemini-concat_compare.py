"""The comparison: GeminiFusion whose outputs are concatenated and projected."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(merge='concat'))
