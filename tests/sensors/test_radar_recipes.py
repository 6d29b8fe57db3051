"""The demo's recipes with radar on a converted world: their own pipelines, a step, a prediction, the meta."""
import copy
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.errors import UserError
from geminifusion3d.modalities import check_declaration
from geminifusion3d.sensors import GeminiDropSensors, GeminiDropSensorsAtRandom
from geminifusion3d.sensors.draws import seeded_generators

CONFIGS = Path(__file__).parents[2] / 'configs' / 'demo'


@pytest.fixture(scope='module')
def info_files(synthetic_root, tmp_path_factory):
    """Info files with the radars' keyframes."""
    return convert_nuscenes(synthetic_root, 'v1.0-mini', tmp_path_factory.mktemp('infos'), radar_sweeps=0)


@pytest.mark.parametrize('name', ['lidar-cam-radar', 'cam-radar'])
def test_a_step_a_prediction_and_the_declaration(name, info_files, synthetic_root):
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(CONFIGS / f'geminifusion3d_tiny_{name}_synthetic-mini.py')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    samples = {}
    for loader, split in (('train_dataloader', 'mini_train'), ('test_dataloader', 'mini_val')):
        dataset = copy.deepcopy(cfg[loader].dataset)
        dataset.update(data_root=str(synthetic_root), ann_file=str(info_files[split]))
        samples[split] = DATASETS.build(dataset)[1]
        assert samples[split]['inputs']['radar_points'].shape[1] == 7
        assert 30 < len(samples[split]['inputs']['radar_points']) < 625
    data = model.train().data_preprocessor(pseudo_collate([samples['mini_train']]), training=True)
    losses = model(**data, mode='loss')
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    gradients = [p.grad.abs().sum() for p in model.radar_branch.parameters()]
    assert all(one.isfinite() for one in gradients) and sum(gradients) > 0
    found, = model.eval().test_step(pseudo_collate([samples['mini_val']]))
    assert len(found.pred_instances_3d.bboxes_3d) > 0
    check_declaration(cfg.test_evaluator.meta, model.modalities)
    with pytest.raises(UserError, match="'use_radar': False.*correct modality"):
        check_declaration({**cfg.test_evaluator.meta, 'use_radar': False}, model.modalities)


def test_radars_fail_by_name_and_at_random_and_never_the_last_sensor(info_files, synthetic_root):
    init_default_scope('mmdet3d')
    steps = [dict(type='GeminiLoadRadar'), dict(type='GeminiLoadPoints')]
    dataset = DATASETS.build(dict(
        type='GeminiNuScenesDataset', data_root=str(synthetic_root), ann_file=str(info_files['mini_train']),
        pipeline=steps, modality=dict(use_lidar=True, use_radar=True), test_mode=True))
    sample = dataset[0]
    silent = GeminiDropSensors(clouds=['radar'])(sample)
    assert len(silent['radar_points']) == 0 and silent['radar_points'].attribute_dims == dict(velocity=[4, 5])
    assert len(silent['points']) == len(sample['points']) and len(sample['radar_points'])
    with pytest.raises(ValueError, match='cannot drop sonar: not loaded'):
        GeminiDropSensors(clouds=['sonar'])(sample)
    drop = GeminiDropSensorsAtRandom(lidar_prob=0.3, cloud_probs=dict(radar=0.2))
    with seeded_generators((0,)):
        left = [(len(one['points']) > 0, len(one['radar_points']) > 0)
                for one in (drop(sample) for _ in range(400))]
    shares = [left.count(kind) / 400 for kind in ((True, True), (False, True), (True, False), (False, False))]
    # Four standard deviations are 0.1.
    assert shares == pytest.approx([0.5, 0.3, 0.2, 0.0], abs=0.1) and shares[3] == 0
    assert len(drop(silent)['points']) == len(sample['points'])
    with pytest.raises(ValueError, match='the sum of all but the first at most 1'):
        GeminiDropSensorsAtRandom(lidar_prob=0.6, cloud_probs=dict(radar=0.5))
