"""The comparison: cells that a learned score calls poor are swapped, as in TokenFusion."""
_base_ = ['../_base_/compare.py']
model = dict(fuser=dict(_delete_=True, type='GeminiTokenExchange', channels=_base_.fused_channels))
