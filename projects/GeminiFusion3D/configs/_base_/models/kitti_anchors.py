"""MVX-Net's anchor head on KITTI: an anchor size and overlaps for each class, in their order."""
class_names = ['Pedestrian', 'Cyclist', 'Car']


def _assigner(positive, negative):
    return dict(
        type='Max3DIoUAssigner', iou_calculator=dict(type='BboxOverlapsNearest3D'), pos_iou_thr=positive,
        neg_iou_thr=negative, min_pos_iou=negative, ignore_iof_thr=-1)


assigners = [_assigner(0.35, 0.2), _assigner(0.35, 0.2), _assigner(0.6, 0.45)]
anchor_sizes = [[0.8, 0.6, 1.73], [1.76, 0.6, 1.73], [3.9, 1.6, 1.56]]
anchor_bottoms_m = [-0.6, -0.6, -1.78]
anchor_head = dict(
    type='GeminiPlainAnchor3DHead', num_classes=3, use_direction_classifier=True, assigner_per_size=True,
    assign_per_class=True, diff_rad_by_sin=True, bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder'),
    loss_cls=dict(type='mmdet.FocalLoss', use_sigmoid=True, gamma=2.0, alpha=0.25, loss_weight=1.0),
    loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9.0, loss_weight=2.0),
    loss_dir=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=False, loss_weight=0.2))
