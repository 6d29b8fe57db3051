"""The comparison: GeminiFusion whose relation scores sum to C and not to 1.

Why: summing to 1, they make the twin's key 1/C of the own one, so that the attention hardly sees the twin.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(relation='scaled'))
