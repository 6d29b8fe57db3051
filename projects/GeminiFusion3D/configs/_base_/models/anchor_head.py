"""PointPillars' head for nuScenes: seven mean boxes along and across, nine box numbers."""
anchor_head = dict(
    type='GeminiAnchor3DHead',
    anchors=[
        dict(size_lwh_m=[4.60718145, 1.95017717, 1.72270761], bottom_m=-1.80032795),  # car
        dict(size_lwh_m=[6.73778078, 2.4560939, 2.73004906], bottom_m=-1.74440365),  # truck
        dict(size_lwh_m=[12.01320693, 2.87427237, 3.81509561], bottom_m=-1.68526504),  # trailer
        dict(size_lwh_m=[1.68452161, 0.60058911, 1.27192197], bottom_m=-1.67339111),  # bicycle
        dict(size_lwh_m=[0.7256437, 0.66344886, 1.75748069], bottom_m=-1.61785072),  # pedestrian
        dict(size_lwh_m=[0.40359262, 0.39694519, 1.06232151], bottom_m=-1.80984986),  # traffic cone
        dict(size_lwh_m=[0.48578221, 2.49008838, 0.98297065], bottom_m=-1.763965)],  # barrier
    anchor_yaws_rad=[0, 1.57],
    # least_iou is 0.3 in mmdet3d's recipe, whose cells are 0.5 m wide. In cells of 0.6 m it would leave
    # two traffic cones in three without an anchor, this one leaves one in eight.
    assigner=dict(positive_iou=0.6, negative_iou=0.3, least_iou=0.1),
    loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
    loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0),
    loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2),
    code_weights=[1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.2],
    direction_offset_rad=-0.7854,
    candidates=1000,
    score_threshold=0.05,
    nms_iou=0.2,
    max_boxes=500)
