"""The comparison: four layers of GeminiFusion, each with noise and weights of its own.

Why: in the paper one layer brings half of the gain and depth the rest.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(layers=4))
