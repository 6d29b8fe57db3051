"""KITTI for every recipe: what is read, never how it is augmented.

Clouds are read whole and cut to the picture; mmdet3d's velodyne_reduced works too, by data_prefix.
"""
data_root = 'data/kitti'
data_prefix = dict(pts='training/velodyne', img='training/image_2')
modality = dict(use_lidar=True, use_camera=True)
load = [dict(type='GeminiLoadKittiFrame'), dict(type='GeminiPointsInPicture')]
load_boxes = dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)
pack_training = dict(type='Pack3DDetInputs', keys=['points', 'img', 'gt_bboxes_3d', 'gt_labels_3d'])
pack_testing = dict(type='Pack3DDetInputs', keys=['points', 'img'])
