"""The schedule of the camera-only recipes: warm-up, then half a cosine over 20 epochs.

Another length: change max_epochs here, everything follows.
"""
_base_ = ['./adamw_32.py']
max_epochs = 20
# 500 iterations of an epoch of class-balanced repetition, as a share: other batch sizes keep it.
warmup_epochs = 0.13
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=5)
optim_wrapper = dict(optimizer=dict(lr=2e-4))
by_iteration = dict(by_epoch=True, convert_to_iter_based=True)
param_scheduler = [
    dict(type='LinearLR', begin=0, end=warmup_epochs, start_factor=1 / 3, **by_iteration),
    dict(type='CosineAnnealingLR', begin=0, end=max_epochs, eta_min_ratio=1e-3, **by_iteration)]
