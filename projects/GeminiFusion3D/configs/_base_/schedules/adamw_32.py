"""The optimiser of the full-size recipes: AdamW for batches of 32 samples, 8 processes of 4.

The learning rate, and every rate in a schedule, follows the real batch size.
"""
optim_wrapper = dict(
    type='OptimWrapper', constructor='GeminiOptimWrapperConstructor', precision='fp32', accumulative_counts=1,
    optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01),
    clip_grad=dict(max_norm=35, norm_type=2))
auto_scale_lr = dict(enable=True, base_batch_size=32)
