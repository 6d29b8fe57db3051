"""Fusers as BEVFusion's fusion_layer: called as that project calls it, with maps of unlike channels."""
import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope

CHANNELS = dict(in_channels=[5, 12], out_channels=8)
FUSERS = [None, dict(type='GeminiConvFuser', in_channels=[8, 8], out_channels=8),
          dict(type='GeminiAddFuser', channels=8), dict(type='GeminiCrossAttention', channels=8, heads=2)]


def build(fuser=None):
    """Return the layer from the one line of a config, which needs no custom_imports."""
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    return MODELS.build(dict(type='geminifusion3d.GeminiBEVFusionLayer', **CHANNELS, fuser=fuser))


def features():
    """Return a camera map and a LiDAR map, 6 cells by 9."""
    torch.manual_seed(1)
    return [torch.randn(2, channels, 6, 9) for channels in CHANNELS['in_channels']]


@pytest.mark.parametrize('fuser', FUSERS, ids=lambda one: one['type'] if one else 'default')
def test_a_list_of_maps_becomes_one_and_everything_learns(fuser):
    layer = build(fuser)
    fused = layer(features())
    # BEVFusion's head takes views that only this order in memory allows.
    assert fused.shape == (2, 8, 6, 9) and fused.is_contiguous()
    fused.square().sum().backward()
    assert [name for name, p in layer.named_parameters() if p.grad is None] == []


def test_by_default_projections_are_signed_and_the_fused_map_is_rectified():
    layer, (camera, lidar) = build().eval(), features()
    # Fresh running statistics: mean 0, variance 1; a 1x1 convolution is a product per cell.
    projected = [torch.einsum('oc,bcxy->boxy', one.conv.weight[:, :, 0, 0], bev) / (1 + one.bn.eps) ** 0.5
                 for one, bev in zip(layer.projections, (camera, lidar))]
    assert all((one < 0).any() for one in projected)
    new_camera, new_lidar = layer.fuser.exchange(*projected)
    assert torch.allclose(layer([camera, lidar]), ((new_camera + new_lidar) / 2).relu(), atol=1e-5)


def test_transposed_maps_give_the_transposed_map():
    layer, maps = build().eval(), features()
    assert torch.allclose(layer([bev.mT for bev in maps]), layer(maps).mT, atol=1e-6)


def test_other_maps_are_refused():
    layer, (camera, lidar) = build(), features()
    for wrong in ([lidar, camera], [lidar]):
        with pytest.raises(ValueError, match=r'expected maps of \(5, 12\) channels, got'):
            layer(wrong)


def test_a_fuser_with_losses_is_refused_rather_than_trained_without_them():
    with pytest.raises(ValueError, match='GeminiTokenExchange returns losses'):
        build(dict(type='GeminiTokenExchange', channels=8))(features())


def test_one_map_is_nothing_to_fuse():
    with pytest.raises(ValueError, match=r'two or more maps, got \[5\]'):
        MODELS.build(dict(type='GeminiBEVFusionLayer', in_channels=[5], out_channels=8))
