"""What every recipe runs with: hooks, randomness, environment."""
custom_imports = dict(imports=['geminifusion3d'])
default_scope = 'mmdet3d'
randomness = dict(seed=0, deterministic=True)
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
               dist_cfg=dict(backend='nccl'))
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='GeminiCheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = [
    dict(type='GeminiSeedHook'),
    dict(type='GeminiEpochHook'),
    dict(type='GeminiFiniteLossHook'),
    dict(type='SyncBuffersHook'),
    dict(type='GeminiLossCurveHook')]
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
log_level = 'INFO'
load_from = None
resume = False
