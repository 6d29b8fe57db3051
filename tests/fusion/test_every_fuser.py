"""What the detector may expect of any fuser."""
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope

from geminifusion3d.fusion.two_maps import FusedBEV

FUSERS = [
    dict(type='GeminiFusion', channels=8, heads=2),
    dict(type='GeminiFusion', channels=8, heads=2, layers=2, merge='concat'),
    dict(type='GeminiFusion', channels=8, heads=2, noise=False, relation=False),
    dict(type='GeminiFusion', channels=8, heads=2, relation='both'),
    dict(type='GeminiFusion', channels=8, heads=2, directions='camera_from_lidar'),
    dict(type='GeminiConvFuser', in_channels=[8, 8], out_channels=8),
    dict(type='GeminiAddFuser', channels=8),
    dict(type='GeminiTokenExchange', channels=8),
    dict(type='GeminiTokenExchange', channels=8, threshold=0.5),
    dict(type='GeminiCrossAttention', channels=8, heads=2),
    dict(type='GeminiCrossAttention', channels=8, heads=2, window=4),
    dict(type='GeminiTwoStreamSECOND', in_channels=8, out_channels=[8, 12], layer_nums=[1, 1],
         layer_strides=[1, 2], heads=2, norm_cfg=dict(type='BN')),
    dict(type='GeminiTwoStreamSECOND', in_channels=8, out_channels=[8, 12], layer_nums=[1, 1],
         layer_strides=[1, 2], heads=2, norm_cfg=dict(type='BN'), merge=False, layer=dict(relation='none'))]


@pytest.fixture(params=FUSERS, ids=lambda cfg: '-'.join(map(str, cfg.values())).replace(' ', ''))
def fuser(request):
    """Returns each fuser in turn, built from its config as the detector does."""
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    return MODELS.build(request.param)


def maps():
    """Returns two maps of 6 rows and 10 columns, a batch of 2."""
    torch.manual_seed(1)
    return torch.randn(2, 8, 6, 10), torch.randn(2, 8, 6, 10)


def first_map(fused):
    """Returns the finest map of a fuser that returns one map, one with losses or a backbone's levels."""
    return fused if isinstance(fused, torch.Tensor) else fused[0]


def test_the_fused_map_has_the_grid_of_its_inputs_and_comes_back_the_same(fuser):
    camera, lidar = maps()
    kept = camera.clone(), lidar.clone()
    fuser.eval()
    fused = first_map(fuser(camera, lidar))
    assert fused.shape == (2, 8, 6, 10) and fused.isfinite().all()
    assert torch.equal(fused, first_map(fuser(camera, lidar)))
    assert torch.equal(camera, kept[0]) and torch.equal(lidar, kept[1])


def test_the_samples_of_a_batch_do_not_meet(fuser):
    camera, lidar = maps()
    fuser.eval()
    alone = first_map(fuser(camera[1:], lidar[1:]))
    assert torch.allclose(first_map(fuser(camera, lidar))[1:], alone, atol=1e-5)


@pytest.mark.parametrize('missing', ['camera', 'lidar', 'both'])
def test_a_map_of_zeros_gives_finite_features_and_gradients(fuser, missing):
    camera, lidar = maps()
    camera = camera.zero_() if missing != 'lidar' else camera
    lidar = lidar.zero_() if missing != 'camera' else lidar
    fused = first_map(fuser(camera.requires_grad_(), lidar.requires_grad_()))
    fused.sum().backward()
    assert fused.isfinite().all()
    assert all(grad.isfinite().all() for grad in (camera.grad, lidar.grad))
    assert all(p.grad.isfinite().all() for p in fuser.parameters() if p.grad is not None)


def test_every_parameter_gets_a_gradient(fuser):
    camera, lidar = (bev.requires_grad_() for bev in maps())
    fused = fuser(camera, lidar)
    fused, losses = fused if isinstance(fused, FusedBEV) else (fused, {})
    total = sum(level.square().sum() for level in ([fused] if fused is first_map(fused) else fused))
    (total + sum(losses.values())).backward()
    assert [name for name, p in fuser.named_parameters() if p.grad is None] == []


def test_both_modalities_reach_the_fused_map(fuser):
    camera, lidar = (bev.requires_grad_() for bev in maps())
    first_map(fuser(camera, lidar)).square().sum().backward()
    assert camera.grad.any() and lidar.grad.any()


@pytest.mark.parametrize('half', [torch.bfloat16, torch.float16], ids=['bf16', 'fp16'])
def test_gradients_are_finite_under_autocast(fuser, half):
    camera, lidar = maps()
    leaves = [(100 * bev).requires_grad_() for bev in (camera, lidar)]
    with torch.autocast('cpu', half):
        # Branches hand over half precision or float32, whichever their last operation returns.
        mixed = first_map(fuser(leaves[0].to(half), leaves[1]))
        fused = first_map(fuser(leaves[0].to(half), leaves[1].to(half)))
    (mixed.float().mean() + fused.float().mean()).backward()
    assert fused.isfinite().all() and mixed.isfinite().all()
    assert all(p.grad.isfinite().all() for p in [*fuser.parameters(), *leaves] if p.grad is not None)


def test_half_precision_stays_close_to_float32(fuser):
    camera, lidar = maps()
    fuser.eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        half = first_map(fuser(camera, lidar))
    exact = first_map(fuser(camera, lidar))
    # bfloat16 keeps 8 bits: steps of 1/128 for values near 2.
    assert torch.allclose(half.float(), exact, atol=0.06)


def test_maps_of_two_shapes_are_refused(fuser):
    camera, lidar = maps()
    with pytest.raises(ValueError, match=r'camera \(2, 8, 6, 10\) and LiDAR \(2, 8, 10, 6\)'):
        fuser(camera, lidar.transpose(2, 3))
