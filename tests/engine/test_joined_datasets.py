"""A nuScenes dataset and generic records train together through mmengine's ConcatDataset."""
import json
from pathlib import Path

import pytest
import torch
from toy_training import run_train

from geminifusion3d.inference import nuscenes_samples
from geminifusion3d.nuscenes_facts import CLASS_NAMES, LIDAR_COLUMNS

REPO = Path(__file__).resolve().parents[2]
CONFIG = '''
_base_ = ['{demo}']
nuscenes = dict(
    type='GeminiNuScenesDataset', data_root='{root}', ann_file='geminifusion3d_infos_mini_train.pkl',
    indices=1, pipeline=_base_.train_pipeline)
records = dict(
    type='GeminiRecordDataset', data_root='{root}', ann_file='{records}', metainfo=dict(classes={classes}),
    pipeline=_base_.train_pipeline)
train_dataloader = dict(
    num_workers=0, dataset=dict(_delete_=True, type='ConcatDataset', datasets=[nuscenes, records]))
val_dataloader = val_evaluator = val_cfg = None
train_cfg = dict(max_epochs=1)
param_scheduler = []
'''


def as_record(info: dict) -> dict:
    """Returns a keyframe of nuScenes as anybody's record."""
    images = {name: {'path': image['img_path'],
                     **{key: image[key] for key in ('cam2img', 'lidar2cam', 'height', 'width')}}
              for name, image in info['images'].items()}
    boxes = [{'box': instance['bbox_3d'], 'class': CLASS_NAMES[instance['bbox_label_3d']]}
             for instance in info['instances'] if instance['bbox_label_3d'] >= 0]
    return {'token': 'mine', 'images': images, 'boxes': boxes,
            'points': {'path': info['lidar_points']['lidar_path'], 'columns': LIDAR_COLUMNS}}


@pytest.mark.timeout(600)
def test_nuscenes_and_records_train_together(converted_root: Path, tmp_path: Path) -> None:
    sample = next(iter(nuscenes_samples(converted_root, 'v1.0-mini')))
    records = tmp_path / 'mine.jsonl'
    records.write_text(json.dumps(as_record(sample.info), default=lambda value: value.tolist()) + '\n')
    config = tmp_path / 'joined.py'
    config.write_text(CONFIG.format(
        demo=REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py', root=converted_root,
        records=records, classes=CLASS_NAMES))
    run_train(config, tmp_path / 'run')
    checkpoint = torch.load(tmp_path / 'run' / 'epoch_1.pth', weights_only=False)
    assert checkpoint['meta']['iter'] == 2
    assert checkpoint['meta']['dataset_meta']['classes'] == CLASS_NAMES
