"""The comparison with the radars in place of the LiDAR.

Why: what radars are worth where there is no LiDAR; its world needs gemini3d convert --radar-sweeps 0.
"""
_base_ = ['./geminifusion3d_cam_compare.py']
modality = dict(
    use_camera=True, use_lidar=False, use_radar=True, use_map=False, use_external=False)
model = dict(
    radar_branch=dict(type='GeminiRadarBranch', channels=32),
    radar_align=dict(type='GeminiAlignBEV', in_channels=32, out_channels=_base_.fused_channels),
    fuser=dict(_delete_=True, type='GeminiNWayFusion', channels=_base_.fused_channels, modalities=2, heads=4))
train_pipeline = [
    _base_.load_radar, *_base_.train_pipeline[:-1], _base_.pack_training_with_radar]
test_pipeline = [
    _base_.load_radar, *_base_.test_pipeline[:-1], _base_.pack_testing_with_radar]
train_dataloader = dict(dataset=dict(modality=modality, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
