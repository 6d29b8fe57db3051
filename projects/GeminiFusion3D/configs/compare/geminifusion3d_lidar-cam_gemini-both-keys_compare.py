"""The comparison: GeminiFusion whose twin key is the mean of the twin and the scored own feature.

Why: the twin tells whether it is good, the score where the two agree; the paper has the second alone.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(relation='both'))
