"""Pretrained backbones: every known format fills every weight; what does not fit is refused."""
import os
import re
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_camera import build_camera_branch
from tiny_detector import CONFIG, build_detector

from geminifusion3d.camera_bev.pretrained import load_pretrained
from geminifusion3d.errors import UserError

SWIN = dict(type='mmdet.SwinTransformer', embed_dims=8, depths=(1, 2), num_heads=(1, 2), strides=(4, 2),
            out_indices=(0, 1), window_size=7, convert_weights=True)
RESNET = dict(type='mmdet.ResNet', depth=18, base_channels=8, num_stages=2, out_indices=(0, 1),
              strides=(1, 2), dilations=(1, 1))


def build(config):
    """Builds a backbone with its usual random weights."""
    init_default_scope('mmdet3d')
    return MODELS.build(config)


def random_state(config):
    """Returns random weights of a backbone; what is counted or derived stays."""
    generator = torch.Generator().manual_seed(1)
    return {key: torch.rand(value.shape, generator=generator) if value.is_floating_point() else value
            for key, value in build(config).state_dict().items()}


def loaded_from(tmp_path, config, content, **more):
    """Writes a checkpoint, loads it into a fresh backbone and returns its weights."""
    torch.save(content, tmp_path / 'weights.pth')
    backbone = build(config)
    load_pretrained(backbone, dict(checkpoint=str(tmp_path / 'weights.pth'), **more))
    return backbone.state_dict()


def assert_same(found, expected):
    """Compares two state dicts."""
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def official_swin(state):
    """Names a state dict as the official Swin does, and orders the merged patches as it does."""
    official = {}
    for key, value in state.items():
        if re.match(r'norm\d', key):
            continue
        key = key.replace('stages.', 'layers.').replace('attn.w_msa.', 'attn.').replace('projection', 'proj')
        key = key.replace('ffn.layers.0.0.', 'mlp.fc1.').replace('ffn.layers.1.', 'mlp.fc2.')
        if '.downsample.' in key:
            # mmdet: channel, row, column. Official: column, row, channel.
            rows = value.unflatten(-1, (-1, 2, 2))
            value = rows.transpose(-1, -3).flatten(-3)
        official[key] = value
    return {'model': {**official, 'norm.weight': torch.ones(16), 'head.weight': torch.ones(5, 16)}}


def test_torchvision_weights_without_counters_and_with_a_classifier(tmp_path):
    state = random_state(RESNET)
    content = {key: value for key, value in state.items() if not key.endswith('num_batches_tracked')}
    content.update({'fc.weight': torch.ones(10, 64), 'layer3.0.conv1.weight': torch.ones(1)})
    assert_same(loaded_from(tmp_path, RESNET, content), state)


@pytest.mark.parametrize('prefix', ['backbone.', 'img_backbone.', 'camera_branch.backbone.',
                                    'module.backbone.'])
def test_a_detector_that_holds_the_backbone(tmp_path, prefix):
    state = random_state(RESNET)
    content = {'state_dict': {**{prefix + key: value for key, value in state.items()},
                              'pts_backbone.conv1.weight': torch.ones(1)}, 'meta': {}}
    assert_same(loaded_from(tmp_path, RESNET, content), state)


def test_a_part_named_by_its_prefix(tmp_path):
    state = random_state(RESNET)
    content = {'teacher.' + key: value for key, value in state.items()}
    content.update({'backbone.' + key: torch.zeros_like(value) for key, value in state.items()})
    assert_same(loaded_from(tmp_path, RESNET, content, prefix='teacher'), state)


@pytest.mark.parametrize('convert', [True, False])
def test_swin_of_mmdet_whatever_convert_weights_says(tmp_path, convert):
    state = random_state(SWIN)
    content = {'state_dict': {'backbone.' + key: value for key, value in state.items()}}
    assert_same(loaded_from(tmp_path, dict(SWIN, convert_weights=convert), content), state)


def test_official_swin_is_renamed_and_its_patches_reordered(tmp_path):
    state = random_state(SWIN)
    found = loaded_from(tmp_path, SWIN, official_swin(state))
    for index in (0, 1):
        state[f'norm{index}.weight'] = torch.ones_like(state[f'norm{index}.weight'])
        state[f'norm{index}.bias'] = torch.zeros_like(state[f'norm{index}.bias'])
    assert_same(found, state)


def test_what_is_missing_or_of_another_shape_is_named(tmp_path):
    state = random_state(RESNET)
    del state['layer1.0.conv1.weight']
    state['conv1.weight'] = torch.ones(2, 3, 7, 7)
    with pytest.raises(UserError, match=r'1 missing \(layer1.0.conv1.weight\), 1 of another shape '
                                        r'\(conv1.weight \(2, 3, 7, 7\) instead of \(8, 3, 7, 7\)\)'):
        loaded_from(tmp_path, RESNET, state)
    with pytest.raises(UserError, match='does not fit ResNet'):
        loaded_from(tmp_path, RESNET, random_state(SWIN))


def test_a_file_that_is_not_there_or_runs_a_program(tmp_path):
    with pytest.raises(UserError, match='none.pth of ResNet do not exist .*init_cfg.checkpoint=PATH'):
        load_pretrained(build(RESNET), dict(checkpoint=str(tmp_path / 'none.pth')))

    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / 'ran'),)
    with pytest.raises(UserError, match='nothing in it was run'):
        loaded_from(tmp_path, RESNET, {'state_dict': Trap()})
    assert not Path(tmp_path / 'ran').exists()


def test_the_model_starts_from_the_weights_and_asks_for_them_only_then(tmp_path):
    plain = build_camera_branch().backbone
    config = dict(type='Pretrained', checkpoint=str(tmp_path / 'weights.pth'))
    resnet = dict(type='mmdet.ResNet', depth=18, base_channels=24, num_stages=3, out_indices=(1, 2),
                  strides=(1, 2, 2), dilations=(1, 1, 1), style='pytorch', norm_eval=False, init_cfg=config)
    branch = dict(Config.fromfile(CONFIG).model.camera_branch, backbone=resnet)
    model = build_detector(camera_branch=branch, lidar_branch=None, lidar_align=None, fuser=None, motion=None)
    with pytest.raises(UserError, match='do not exist'):
        model.init_weights()
    state = {key: torch.rand_like(value) if value.is_floating_point() else value
             for key, value in plain.state_dict().items()}
    torch.save(state, tmp_path / 'weights.pth')
    model = build_detector(camera_branch=branch, lidar_branch=None, lidar_align=None, fuser=None, motion=None)
    model.init_weights()
    assert_same(model.camera_branch.backbone.state_dict(), state)


def test_without_pretrained_weights_the_host_initialises():
    branch = build_camera_branch()
    torch.nn.init.zeros_(branch.backbone.conv1.weight)
    branch.init_weights()
    assert branch.backbone.conv1.weight.any()
