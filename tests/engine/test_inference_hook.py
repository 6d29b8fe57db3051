"""Norms folded into convolutions give the same maps; flags reach the config as one hook."""
import copy
import logging
from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from tiny_detector import build_detector, make_batch
from torch import nn

from geminifusion3d.commands.main import parse
from geminifusion3d.engine.inference_hook import GeminiInferenceHook, fold_norms, speed_up_tests


@pytest.fixture
def model():
    """Returns the demo's detector with running statistics and affine parameters of their own."""
    model = build_detector().train()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model(**model.data_preprocessor(make_batch(), training=True), mode='loss')
        for part in model.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.weight.copy_(0.5 + torch.rand(part.weight.shape, generator=generator))
                part.bias.copy_(torch.randn(part.bias.shape, generator=generator) * 0.1)
    return model.eval()


def maps_of(model):
    """Returns the head's raw maps, one tensor."""
    with torch.no_grad():
        tasks = model(**model.data_preprocessor(make_batch(), training=False), mode='tensor')
    return torch.cat([maps for task in tasks for maps in task[0].values()], dim=1)


def test_folding_changes_no_map_and_leaves_sparse_norms_alone(model):
    expected = maps_of(model)
    folded = copy.deepcopy(model)
    # A norm behind each dense convolution that has one; those behind transposed ones stay.
    assert fold_norms(nn.ModuleDict(dict(module=folded))) > 20
    aligns = [folded.camera_align, folded.lidar_align]
    assert not any(isinstance(part, nn.BatchNorm2d) for align in aligns for part in align.modules())
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.camera_branch.modules())
    assert any(isinstance(part, nn.BatchNorm1d) for part in folded.lidar_branch.modules())
    found = maps_of(folded)
    assert expected.std() > 1e-2
    assert torch.allclose(found, expected, atol=1e-5 * expected.abs().max())


def test_the_flags_add_one_hook_and_keep_the_others():
    cfg = Config(dict(custom_hooks=[dict(type='GeminiSeedHook')]))
    speed_up_tests(cfg, parse('test', 'config.py', 'weights.pth', '--compile', '--fold-norms'))
    assert cfg.custom_hooks == [dict(type='GeminiSeedHook'),
                                dict(type='GeminiInferenceHook', fold=True, compile_dense=True, graphs=False)]
    plain = Config(dict())
    speed_up_tests(plain, parse('test', 'config.py', 'weights.pth'))
    speed_up_tests(plain, Namespace())
    assert 'custom_hooks' not in plain


def test_the_hook_folds_before_a_test(model, caplog):
    runner = SimpleNamespace(model=model, logger=logging.getLogger('runner'))
    with caplog.at_level(logging.INFO):
        GeminiInferenceHook(fold=True).before_test(runner)
    assert 'norms multiplied into convolutions' in caplog.text
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.camera_branch.modules())
