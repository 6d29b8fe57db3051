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
    # beta1 rises to 1, as in mmdet3d, where published weights learned so; mmcv meant factors of 0.9: for it,
    # eta_min=0.805 and 0.9. AdamW divides by what is left of 1: its last five steps rise to 3 times the peak.
    dict(type='CosineAnnealingMomentum', begin=0, end=turn, eta_min=0.85 / 0.95, **by_iteration),
    dict(type='CosineAnnealingMomentum', begin=turn, end=max_epochs, eta_min=1, **by_iteration)]
