"""nuScenes for every recipe: what is read, never how it is augmented.

A recipe sets data_root, the two splits and the pipelines.
"""
data_root = 'data/nuscenes'
modality = dict(
    use_camera=True, use_lidar=True, use_radar=False, use_map=False, use_external=False)
load_boxes = dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)
meta_keys = ['token', 'sample_idx', 'cam2img', 'lidar2cam', 'img_aug_matrix', 'lidar_aug_matrix',
             'camera_present', 'lidar2ego', 'ego2global', 'box_type_3d', 'box_mode_3d']
pack_training = dict(
    type='Pack3DDetInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d'],
    meta_keys=meta_keys)
# The rest is for pictures of what a test finds.
pack_testing = dict(
    type='Pack3DDetInputs', keys=['points', 'img'],
    meta_keys=[*meta_keys, 'images', 'img_path', 'lidar_path', 'num_pts_feats'])
# For recipes with radar; the info files need gemini3d convert --radar-sweeps 5.
load_radar = dict(type='GeminiLoadRadar', sweeps_num=5)
pack_training_with_radar = dict(
    type='GeminiPackInputs', keys=[*pack_training['keys'], 'radar_points'], meta_keys=meta_keys)
pack_testing_with_radar = dict(
    type='GeminiPackInputs', keys=[*pack_testing['keys'], 'radar_points'],
    meta_keys=pack_testing['meta_keys'])
