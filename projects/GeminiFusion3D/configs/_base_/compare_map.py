"""The comparison's model segments the map instead of detecting: data, budget and schedule of every model."""
_base_ = ['./compare.py', './map_segmentation_30m.py']
load_cells = dict(_base_.load_cells, data_root=_base_.data_root)
pack_training = dict(_base_.pack_training, type='GeminiPackInputs')
pack_testing = dict(_base_.pack_testing, type='GeminiPackInputs')
train_pipeline = [
    _base_.load_sensors, _base_.augment_images, _base_.augment_scene, load_cells, _base_.in_range[0],
    pack_training]
test_pipeline = [_base_.load_sensors, _base_.resize_images, load_cells, _base_.in_range[0], pack_testing]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, filter_empty_gt=False))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
model = dict(bbox_head=None, seg_head=dict(_base_.seg_head, in_channels=64, channels=32))
val_evaluator = dict(_base_.seg_evaluator, _delete_=True)
test_evaluator = val_evaluator
