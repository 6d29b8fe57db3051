"""Map segmentation in the comparison: GeminiFusion.

Why: what fusing is worth to a map, beside one sensor and beside addition.
"""
_base_ = ['../_base_/compare_map.py']
