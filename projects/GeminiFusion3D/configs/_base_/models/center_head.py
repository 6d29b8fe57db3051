"""CenterPoint's head for nuScenes: six groups of classes, nine box numbers."""
center_head = dict(
    type='GeminiCenterHead',
    tasks=[['car'], ['truck', 'construction_vehicle'], ['bus', 'trailer'], ['barrier'],
           ['motorcycle', 'bicycle'], ['pedestrian', 'traffic_cone']],
    common_heads=dict(reg=(2, 2), height=(1, 2), dim=(3, 2), rot=(2, 2), vel=(2, 2)),
    share_conv_channel=64,
    separate_head=dict(type='SeparateHead', head_conv=64, init_bias=-2.19, final_kernel=3),
    loss_cls=dict(type='mmdet.GaussianFocalLoss', reduction='mean'),
    loss_bbox=dict(type='GeminiMaskedL1Loss', reduction='mean', loss_weight=0.25),
    code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2],
    gaussian_overlap=0.1,
    min_radius_cells=2,
    max_objects=500,
    max_boxes=500,
    score_threshold=0.05,
    # Squares as in CenterPoint's published recipe: 4, 12, 10, 1, 0.85, 0.175 square metres.
    # Rotated boxes instead: --cfg-options model.bbox_head.nms_radius_m=None model.bbox_head.nms_iou=0.2
    nms_radius_m=[2.0, 3.464, 3.162, 1.0, 0.922, 0.418],
    boxes_after_nms=83)
