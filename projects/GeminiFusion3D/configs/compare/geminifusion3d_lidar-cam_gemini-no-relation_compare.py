"""The comparison: GeminiFusion without relation score; the twin's key is the twin itself.

Why: the paper says that the score tells where the other modality helps.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(relation=False))
