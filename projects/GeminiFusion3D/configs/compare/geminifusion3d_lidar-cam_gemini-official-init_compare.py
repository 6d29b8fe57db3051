"""The comparison: GeminiFusion that starts as the official segmentation branch.

Why: the logits of this project's own start are twice as large.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(init='segmentation'))
