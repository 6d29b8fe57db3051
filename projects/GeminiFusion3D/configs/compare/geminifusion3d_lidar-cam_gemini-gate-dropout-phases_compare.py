"""The comparison: GeminiFusion behind a reliability gate, trained with sensors that fail more and more.

Why: a third of the training joins the sensors, a third raises the dropout, a third has it in full.
"""
_base_ = ['../_base_/compare_dropout.py']
model = dict(
    gate=dict(type='GeminiReliabilityGate', channels=_base_.fused_channels))
drop_sensors = dict(
    _base_.drop_sensors, phases=[(_base_.max_epochs / 3, 0.0), (_base_.max_epochs * 2 / 3, 1.0)])
train_pipeline = [*_base_.train_pipeline[:-2], drop_sensors, _base_.pack_training]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
