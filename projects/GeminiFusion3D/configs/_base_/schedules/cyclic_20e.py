"""CenterPoint's cyclic schedule: rate up and momentum down for 40 % of the training, then back.

The rise is the warm-up. Another length: change max_epochs here, everything follows.
"""
_base_ = ['./adamw_32.py']
max_epochs = 20
turn = 0.4 * max_epochs
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
by_iteration = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='CosineAnnealingLR', begin=0, end=turn, eta_min_ratio=10, **by_iteration),
    dict(type='CosineAnnealingLR', begin=turn, end=max_epochs, eta_min_ratio=1e-4, **by_iteration),
    # beta1 rises to 1, as in mmdet3d, where published weights learned so; mmcv meant factors of 0.9: for it,
    # eta_min=0.805 and 0.9.
    dict(type='CosineAnnealingMomentum', begin=0, end=turn, eta_min=0.85 / 0.95, **by_iteration),
    dict(type='CosineAnnealingMomentum', begin=turn, end=max_epochs, eta_min=1, **by_iteration)]
