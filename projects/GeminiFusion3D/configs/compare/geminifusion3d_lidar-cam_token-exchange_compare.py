"""The comparison: cells that a learned score calls poor are exchanged, as in TokenFusion.

Why: the method that the paper improves on.
"""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(_delete_=True, type='GeminiTokenExchange', channels=_base_.fused_channels))
