"""TransFusion's head for nuScenes with the values of BEVFusion's published recipe."""
transfusion_head = dict(
    type='GeminiTransFusionHead',
    hidden_channels=128,
    num_queries=200,
    peak_kernel=3,
    unpooled_classes=['pedestrian', 'traffic_cone'],
    decoder=dict(heads=8, feedforward_channels=256, dropout=0.1),
    branch_channels=64,
    init_bias=-2.19,
    assigner=dict(class_weight=0.15, centre_weight=0.25, iou_weight=0.25),
    gaussian_overlap=0.1,
    min_radius_cells=2,
    loss_heatmap=dict(type='mmdet.GaussianFocalLoss', reduction='mean', loss_weight=1.0),
    loss_cls=dict(
        type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, reduction='mean',
        loss_weight=1.0),
    loss_bbox=dict(type='GeminiMaskedL1Loss', reduction='mean', loss_weight=0.25),
    code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2],
    score_threshold=0.0,
    centre_margin_m=7.2)
