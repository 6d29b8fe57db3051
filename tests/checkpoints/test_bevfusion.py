"""Every weight of the published BEVFusion networks finds its place in the recipes, the right way round."""
from pathlib import Path

import pytest
import torch
from bevfusion_weights import published_weights
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from geminifusion3d.checkpoints.bevfusion import LIDAR_BRANCHES, convert_bevfusion
from geminifusion3d.checkpoints.checkpoint_fit import Tolerance, fit_weights
from geminifusion3d.errors import UserError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NAMES = {'lidar': 'bevfusion_lidar_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
         'lidar-cam': 'bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py'}
FUSED = 'geminifusion3d_lidar-cam_voxel0075_second_secfpn_transfusion_8xb4-cyclic-6e_nus-3d.py'
# Source, counterpart here, and which two axes change places.
TURNED = [
    ('pts_middle_encoder.conv_out.0.weight', 'lidar_branch.encoder.conv_out.0.weight', (1, 3)),
    ('pts_middle_encoder.conv_input.0.weight', 'lidar_branch.encoder.conv_input.0.weight', (1, 3)),
    ('pts_backbone.blocks.1.3.weight', 'bev_backbone.blocks.1.3.weight', (2, 3)),
    ('pts_neck.deblocks.1.0.weight', 'bev_neck.deblocks.1.0.weight', (2, 3)),
    ('bbox_head.shared_conv.weight', 'bbox_head.shared_conv.weight', (2, 3)),
    ('view_transform.downsample.3.weight', 'camera_branch.downsample.3.weight', (2, 3)),
    ('fusion_layer.0.weight', 'fuser.0.weight', (2, 3))]
KEPT = [('view_transform.depthnet.0.weight', 'camera_branch.depthnet.0.weight'),
        ('img_neck.fpn_convs.1.conv.weight', 'camera_branch.neck.merges.1.1.conv.weight')]


def build(name: str) -> nn.Module:
    """Builds a recipe's model at full size."""
    init_default_scope('mmdet3d')
    return MODELS.build(Config.fromfile(CONFIGS / name).model)


@pytest.mark.parametrize('modality', sorted(NAMES))
def test_every_published_weight_finds_its_place(modality):
    weights = published_weights(modality)
    converted = convert_bevfusion(weights)
    fitted = fit_weights(build(NAMES[modality]), converted, name='published')
    stand_ins = [key for key in converted if key.endswith('stand_in')]
    constants = [key for key in weights if key.split('.')[-1] in ('dx', 'bx', 'nx', 'frustum')]
    assert len(fitted) == len(weights) - len(constants) + len(stand_ins)
    assert len(stand_ins) == (2 if modality == 'lidar-cam' else 1)


def test_kernels_over_the_bev_are_turned_and_others_are_not():
    weights = published_weights('lidar-cam')
    converted = convert_bevfusion(weights)
    for theirs, ours, axes in TURNED:
        assert torch.equal(converted[ours], weights[theirs].transpose(*axes))
    for theirs, ours in KEPT:
        assert torch.equal(converted[ours], weights[theirs])


def test_both_storage_orders_of_sparse_kernels_give_the_same():
    weights = published_weights('lidar')
    by_mmcv = {key: value.permute(1, 2, 3, 4, 0) if value.dim() == 5 else value
               for key, value in weights.items()}
    expected, found = convert_bevfusion(weights), convert_bevfusion(by_mmcv)
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    assert set(found) == set(expected)


@pytest.mark.parametrize('modality', ['lidar', 'lidar-cam'])
def test_the_lidar_part_starts_a_fused_model(modality):
    converted = convert_bevfusion(published_weights(modality), lidar_only=True)
    assert {key.split('.')[0] for key in converted} == set(LIDAR_BRANCHES)
    tolerance = Tolerance.from_config(Config.fromfile(CONFIGS / FUSED).load_cfg)
    fitted = fit_weights(build(FUSED), converted, name='lidar', tolerance=tolerance)
    assert len(fitted) == len(converted)
    with pytest.raises(UserError, match=r'missing_branches="\[camera_branch,camera_align,fuser\]"'):
        fit_weights(build(FUSED), converted, name='lidar')


def test_an_unknown_weight_is_named():
    with pytest.raises(UserError, match='seg_head.conv.weight'):
        convert_bevfusion({**published_weights('lidar'), 'seg_head.conv.weight': torch.zeros(1)})
