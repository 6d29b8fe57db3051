"""Cameras and radar: the camera recipe with a radar map, fused by GeminiFusion.

Why: sensors that every new car has; the radar measures the distance and velocity that cameras guess.
"""
_base_ = ['./geminifusion3d_cam_swint_second_secfpn_8xb4-cosine-20e_nus-3d.py']
modality = dict(
    use_camera=True, use_lidar=False, use_radar=True, use_map=False, use_external=False)
model = dict(
    radar_branch=dict(type='GeminiRadarBranch', channels=64),
    radar_align=dict(type='GeminiAlignBEV', in_channels=64, out_channels=_base_.fused_channels),
    fuser=dict(_delete_=True, type='GeminiFusion', channels=_base_.fused_channels, heads=8, layers=1))
train_pipeline = [
    _base_.load_radar, *_base_.train_pipeline[:-1], _base_.pack_training_with_radar]
test_pipeline = [
    _base_.load_radar, *_base_.test_pipeline[:-1], _base_.pack_testing_with_radar]
train_dataloader = dict(dataset=dict(dataset=dict(modality=modality, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
