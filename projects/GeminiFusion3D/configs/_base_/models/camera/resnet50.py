"""ResNet-50 and its neck, from torchvision's ImageNet weights; feature stride 8.

A machine without a network: name a local file with
--cfg-options model.camera_branch.backbone.init_cfg.checkpoint=PATH
"""
camera_resnet50 = dict(
    backbone=dict(
        type='mmdet.ResNet', depth=50, num_stages=4, out_indices=(1, 2, 3), style='pytorch',
        norm_eval=False, with_cp=False,
        init_cfg=dict(
            type='Pretrained', checkpoint='https://download.pytorch.org/models/resnet50-0676ba61.pth')),
    neck=dict(type='GeminiImageNeck', in_channels=[512, 1024, 2048], out_channels=256))
