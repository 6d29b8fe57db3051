"""The demo evaluated in dense fog: MultiCorrupt's fog at severity 3."""
_base_ = ['../demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py']
loading = dict(
    type='GeminiCorruptedLoading', corruption='fog', severity=3, steps=_base_.test_pipeline[:2])
val_dataloader = dict(dataset=dict(pipeline=[loading, *_base_.test_pipeline[2:]]))
test_dataloader = val_dataloader
custom_imports = dict(imports=['geminifusion3d', 'gemini_lab.corruptions'])
