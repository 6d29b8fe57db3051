"""Swin-T and its neck, from the official ImageNet weights; feature stride 8.

A machine without a network: name a local file with
--cfg-options model.camera_branch.backbone.init_cfg.checkpoint=PATH
"""
camera_swin_tiny = dict(
    backbone=dict(
        type='mmdet.SwinTransformer', embed_dims=96, depths=[2, 2, 6, 2], num_heads=[3, 6, 12, 24],
        window_size=7, mlp_ratio=4, qkv_bias=True, drop_path_rate=0.2, patch_norm=True,
        out_indices=[1, 2, 3], with_cp=False, convert_weights=True,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://github.com/SwinTransformer/storage/releases/download/v1.0.0/'
                       'swin_tiny_patch4_window7_224.pth')),
    neck=dict(type='GeminiImageNeck', in_channels=[192, 384, 768], out_channels=256))
