"""Every weight of the published BEVFusion networks finds its place in the recipes, the right way round."""
from pathlib import Path

import pytest
import torch
from bevfusion_weights import published_weights
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_transfusion import build_head
from torch import nn

from geminifusion3d.checkpoints.checkpoint_fit import Tolerance, fit_weights
from geminifusion3d.checkpoints.converters import LIDAR_BRANCHES, bevfusion_head_key_map, convert_bevfusion
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


def as_mit(weights):
    """Returns weights of mmdet3d's BEVFusion under the names of MIT's repository and its spconv's layout."""
    names = {'img_backbone.': 'encoders.camera.backbone.', 'img_neck.': 'encoders.camera.neck.',
             'view_transform.': 'encoders.camera.vtransform.', 'fusion_layer.': 'fuser.',
             'pts_middle_encoder.': 'encoders.lidar.backbone.', 'pts_backbone.': 'decoder.backbone.',
             'pts_neck.': 'decoder.neck.', 'bbox_head.': 'heads.object.',
             '.self_attn.attn.': '.self_attn.', '.cross_attn.attn.': '.multihead_attn.',
             '.ffn.layers.0.0.': '.linear1.', '.ffn.layers.1.': '.linear2.',
             '.norms.0.': '.norm1.', '.norms.1.': '.norm2.', '.norms.2.': '.norm3.'}

    def renamed(key):
        for theirs, mit in names.items():
            is_in_decoder = 'bbox_head.decoder' in key or 'heads.object.decoder' in key
            if key.startswith(theirs) or theirs.startswith('.') and is_in_decoder:
                key = key.replace(theirs, mit, 1)
        return key

    return {renamed(key): value.permute(1, 2, 3, 4, 0) if value.dim() == 5 else value
            for key, value in weights.items()}


@pytest.mark.parametrize('modality', sorted(NAMES))
def test_the_same_weights_under_mits_names_become_the_same(modality):
    weights = published_weights(modality)
    mit = as_mit(weights)
    # Names of the published file, which the renaming above must have made.
    assert {'heads.object.decoder.0.multihead_attn.in_proj_weight', 'heads.object.decoder.0.linear2.bias',
            'heads.object.decoder.0.norm3.weight', 'encoders.lidar.backbone.conv_out.0.weight',
            'heads.object.decoder.0.self_posembed.position_embedding_head.3.bias',
            'decoder.neck.deblocks.1.0.weight'} <= set(mit)
    expected, found = convert_bevfusion(weights), convert_bevfusion(mit)
    assert set(found) == set(expected)
    assert all(torch.equal(found[key], value) for key, value in expected.items())


def test_mits_segmentation_finds_its_place():
    weights = {key: value for key, value in as_mit(published_weights('lidar-cam')).items()
               if not key.startswith(('heads.', 'encoders.camera.vtransform.d'))
               or '.downsample.' in key or key.endswith('.dx')}
    vectors = ('weight', 'bias', 'running_mean', 'running_var')
    shapes = {'encoders.camera.vtransform.depthnet.weight': (118 + 80, 256, 1, 1),
              'encoders.camera.vtransform.depthnet.bias': (118 + 80,),
              **{f'heads.map.classifier.{number}.weight': (512, 512, 3, 3) for number in (0, 3)},
              **{f'heads.map.classifier.{number}.{name}': (512,) for number in (1, 4) for name in vectors},
              **{f'heads.map.classifier.{number}.num_batches_tracked': () for number in (1, 4)},
              'heads.map.classifier.6.weight': (6, 512, 1, 1), 'heads.map.classifier.6.bias': (6,)}
    weights.update({key: torch.rand(shape) for key, shape in shapes.items()})
    converted = convert_bevfusion(weights)
    model = build('bevfusion_lidar-cam_voxel01_second_secfpn_map_8xb4-cyclic-20e_nus-3d.py')
    assert len(fit_weights(model, converted, name='MIT')) == len(converted)
    kernel = weights['heads.map.classifier.3.weight']
    assert torch.equal(converted['seg_head.classifier.3.weight'], kernel.transpose(2, 3))
    assert torch.equal(converted['camera_branch.depthnet.weight'],
                       weights['encoders.camera.vtransform.depthnet.weight'])


@pytest.mark.parametrize('fuser', ['conv', 'gemini', 'add', 'token-exchange', 'window-attention'])
def test_everything_but_the_fuser_starts_each_recipe_of_the_exchange(fuser):
    cfg = Config.fromfile(CONFIGS / 'fuser_exchange' / f'bevfusion_lidar-cam_voxel0075_second_secfpn_{fuser}'
                                                       '-fuser_8xb4-cyclic-6e_nus-3d.py')
    init_default_scope('mmdet3d')
    converted = convert_bevfusion(published_weights('lidar-cam'), without_fuser=True)
    fitted = fit_weights(MODELS.build(cfg.model), converted, name='all but the fuser',
                         tolerance=Tolerance.from_config(cfg.load_cfg))
    assert len(fitted) == len(converted)
    assert {key.split('.')[0] for key in converted} == {'camera_branch', *LIDAR_BRANCHES} - {'lidar_align'}


def test_a_lidar_only_model_has_no_fuser_to_leave_out():
    with pytest.raises(UserError, match='--without-fuser needs the checkpoint of a camera-LiDAR model'):
        convert_bevfusion(published_weights('lidar'), without_fuser=True)


# A sample of the published checkpoint's names and shapes, without `bbox_head.`.
PUBLISHED = {
    'shared_conv.weight': (128, 512, 3, 3), 'heatmap_head.0.conv.weight': (128, 128, 3, 3),
    'heatmap_head.0.bn.running_var': (128,), 'heatmap_head.1.bias': (10,),
    'class_encoding.weight': (128, 10, 1), 'decoder.0.self_attn.attn.in_proj_weight': (384, 128),
    'decoder.0.cross_attn.attn.out_proj.bias': (128,), 'decoder.0.ffn.layers.0.0.weight': (256, 128),
    'decoder.0.ffn.layers.1.weight': (128, 256), 'decoder.0.norms.2.weight': (128,),
    'decoder.0.self_posembed.position_embedding_head.0.weight': (128, 2, 1),
    'decoder.0.cross_posembed.position_embedding_head.1.running_mean': (128,),
    'decoder.0.cross_posembed.position_embedding_head.3.weight': (128, 128, 1),
    'prediction_heads.0.center.0.conv.weight': (64, 128, 1),
    'prediction_heads.0.dim.0.bn.num_batches_tracked': (),
    'prediction_heads.0.vel.1.weight': (2, 64, 1), 'prediction_heads.0.heatmap.1.weight': (10, 64, 1)}


def their_state(head):
    """Returns a state dict under their names whose values are ours, kernels swapped."""
    state = head.state_dict()
    return {theirs: state[ours].transpose(-1, -2) if state[ours].dim() == 4 else state[ours]
            for theirs, ours in bevfusion_head_key_map().items()}


def test_names_and_shapes_are_those_of_the_published_head():
    head = build_head(in_channels=512, hidden_channels=128, branch_channels=64,
                      decoder=dict(heads=8, feedforward_channels=256, dropout=0.1))
    shapes = {name: tuple(tensor.shape) for name, tensor in their_state(head).items()}
    assert {name: shapes[name] for name in PUBLISHED} == PUBLISHED


def test_every_tensor_of_ours_comes_from_exactly_one_of_theirs():
    ours = bevfusion_head_key_map().values()
    assert len(set(ours)) == len(ours) and set(ours) == set(build_head().state_dict())


def test_what_shapes_cannot_tell_apart_goes_where_it_is_used():
    # Their self_posembed embeds the queries' places, for both attentions; cross_posembed the cells'.
    key_map = bevfusion_head_key_map()
    for theirs, ours in (('self_posembed.position_embedding_head.0.weight', 'query_position.0.weight'),
                         ('cross_posembed.position_embedding_head.0.weight', 'map_position.0.weight'),
                         ('self_attn.attn.in_proj_weight', 'self_attention.in_proj_weight'),
                         ('cross_attn.attn.in_proj_weight', 'cross_attention.in_proj_weight'),
                         ('norms.0.weight', 'norms.0.weight'), ('norms.1.weight', 'norms.1.weight')):
        assert key_map[f'decoder.0.{theirs}'] == f'decoder.{ours}'
    for branch in ('center', 'rot', 'vel'):
        assert key_map[f'prediction_heads.0.{branch}.1.weight'] == f'prediction.{branch}.1.weight'


def test_converted_weights_load_and_slide_over_the_transposed_map():
    source, target = build_head(seed=1), build_head(seed=2)
    state = their_state(source)
    key_map = bevfusion_head_key_map()
    target.load_state_dict({key_map[name]: tensor.transpose(-1, -2) if tensor.dim() == 4 else tensor
                            for name, tensor in state.items()}, strict=True)
    bev_xy = torch.randn(1, 16, 6, 4)
    theirs = torch.conv2d(bev_xy, state['shared_conv.weight'], state['shared_conv.bias'], padding=1)
    ours = target.shared_conv(bev_xy.transpose(2, 3))
    assert torch.allclose(ours, theirs.transpose(2, 3), atol=1e-6)
    assert not torch.allclose(state['shared_conv.weight'], target.shared_conv.weight)
