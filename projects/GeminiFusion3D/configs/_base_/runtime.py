"""What every recipe runs with: the package, hooks, randomness, environment."""
_base_ = []  # said first, or mmengine takes a file with imports for one of its lazy configs
import importlib.util
import os
import sys

# The package that these recipes belong to, under the name it has here: installed, or dropped into an
# mmdetection3d tree, whose root need not be on the path. Two underscores keep a name out of the config.
__plugin = os.path.realpath('{{ fileDirname }}/../..')
__package = os.path.join(__plugin, 'geminifusion3d')
__installed = importlib.util.find_spec('geminifusion3d')
if __installed and (not os.path.isdir(__package)
                    or os.path.samefile(os.path.dirname(__installed.origin), __package)):
    custom_imports = dict(imports=['geminifusion3d.registered'])
else:
    sys.path.append(os.path.dirname(os.path.dirname(__plugin)))
    custom_imports = dict(imports=['projects.GeminiFusion3D.geminifusion3d.registered'])
default_scope = 'mmdet3d'
# mmdet3d's own tools read it: with it they run several processes on CPUs too.
runner_type = 'GeminiRunner'
randomness = dict(seed=0, deterministic=True)
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
               dist_cfg=dict(backend='nccl', timeout=1800))
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='GeminiLoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='GeminiCheckpointHook', interval=1, max_keep_ckpts=2),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='Det3DVisualizationHook'))
custom_hooks = [
    dict(type='GeminiSeedHook'),
    dict(type='GeminiEpochHook'),
    dict(type='GeminiFiniteLossHook'),
    dict(type='SyncBuffersHook'),
    dict(type='GeminiLossCurveHook')]
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=True)
visualizer = dict(
    type='GeminiVisualizer', name='visualizer', vis_backends=[dict(type='LocalVisBackend')])
log_level = 'INFO'
load_from = None
resume = False
