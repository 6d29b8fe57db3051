"""Camera, LiDAR and radar with 0.075 m voxels: the main recipe with a third map, fused symmetrically.

Why: the radar sees velocities and through rain; any of the three sensors may be missing.
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py']
modality = dict(
    use_camera=True, use_lidar=True, use_radar=True, use_map=False, use_external=False)
model = dict(
    radar_branch=dict(type='GeminiRadarBranch', channels=64),
    radar_align=dict(type='GeminiAlignBEV', in_channels=64, out_channels=_base_.fused_channels),
    fuser=dict(_delete_=True, type='GeminiNWayFusion', channels=_base_.fused_channels, modalities=3, heads=8))
train_pipeline = [
    _base_.load_radar, *_base_.train_pipeline[:-1], _base_.pack_training_with_radar]
test_pipeline = [
    _base_.load_radar, *_base_.test_pipeline[:-1], _base_.pack_testing_with_radar]
train_dataloader = dict(dataset=dict(dataset=dict(modality=modality, pipeline=train_pipeline)))
val_dataloader = dict(dataset=dict(modality=modality, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(meta=modality)
test_evaluator = val_evaluator
load_cfg = dict(
    missing_branches=['camera_branch', 'camera_align', 'radar_branch', 'radar_align', 'fuser'])
