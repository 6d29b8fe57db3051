"""The comparison: GeminiFusion trained with a calibration that is a little wrong.

Why: a fuser of single cells trusts the calibration; noise in training shall make it bear a wrong one.
"""
_base_ = ['../_base_/compare.py']
jitter = dict(type='GeminiJitterCalibration', turn_std_deg=0.5, shift_std_m=[0.2, 0.2, 0.1], prob=0.5)
train_pipeline = [*_base_.train_pipeline[:-1], jitter, _base_.pack_training]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
