"""BEVFusion's schedule of the fusion stage: 6 epochs from the weights of a LiDAR stage, all trained.

Another length: change max_epochs here, everything follows.
"""
_base_ = ['./adamw_32.py']
max_epochs = 6
turn = 0.4 * max_epochs
# 500 iterations of an epoch of class-balanced repetition, as a share: other batch sizes keep it.
warmup_epochs = 0.13
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=1)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
by_iteration = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=warmup_epochs, start_factor=1 / 3, **by_iteration),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, eta_min_ratio=1e-4, **by_iteration),
    dict(type='CosineAnnealingMomentum', begin=0, end=turn, eta_min=0.85 / 0.95, **by_iteration),
    dict(type='CosineAnnealingMomentum', begin=turn, end=max_epochs, eta_min=1, **by_iteration)]
