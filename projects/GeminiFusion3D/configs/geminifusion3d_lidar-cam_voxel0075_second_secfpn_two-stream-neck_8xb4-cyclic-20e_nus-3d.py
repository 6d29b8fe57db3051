"""GeminiFusion-BEV: two streams that exchange after each stage of the backbone and at each level of the neck.

Why: of all switches the one that pays on the synthetic world, in the small (docs/does_it_pay.md); with
`exchange=False` in both parts it is its control, which is nearly as good there and cheaper.
"""
_base_ = ['./geminifusion3d_lidar-cam_voxel0075_second_secfpn_two-stream_8xb4-cyclic-20e_nus-3d.py']
norm_cfg = dict(type='BN', eps=1e-3, momentum=0.01)
model = dict(
    fuser=dict(merge=False),
    bev_neck=dict(_delete_=True, type='GeminiTwoStreamFPN', in_channels=[128, 256], out_channels=[256, 256],
                  upsample_strides=[1, 2], heads=8, norm_cfg=norm_cfg, use_conv_for_no_stride=True))
