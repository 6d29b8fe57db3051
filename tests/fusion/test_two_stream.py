"""Two streams of SECOND and its FPN: stages of mmdet3d's backbone and neck, an exchange after each."""
import pytest
import torch
from mmdet3d.models.backbones import SECOND
from mmdet3d.models.necks import SECONDFPN

from geminifusion3d.fusion.two_stream import GeminiTwoStreamFPN, GeminiTwoStreamSECOND

STAGES = dict(in_channels=8, out_channels=[8, 16], layer_nums=[1, 1], layer_strides=[1, 2],
              norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01))


NECK = dict(in_channels=[8, 16], out_channels=[8, 4], upsample_strides=[1, 2], use_conv_for_no_stride=True,
            norm_cfg=dict(type='BN', eps=1e-3, momentum=0.01))


def build(**options):
    """Returns the two-stream backbone in evaluation mode."""
    torch.manual_seed(0)
    return GeminiTwoStreamSECOND(**STAGES, heads=2, **options).eval()


def maps():
    """Returns two maps of 6 rows and 8 columns."""
    torch.manual_seed(1)
    return torch.randn(2, 8, 6, 8), torch.randn(2, 8, 6, 8)


def test_without_exchange_each_stream_is_the_hosts_backbone():
    streams, (camera, lidar) = build(), maps()
    for exchange in streams.exchanges:
        for attention in (exchange.camera_attention, exchange.lidar_attention):
            attention.out_proj.weight.data.zero_()
            attention.out_proj.bias.data.zero_()
    host = SECOND(**STAGES).eval()
    for stream, bev, alpha in ((streams.camera_stream, camera, [40.0, -40.0]),
                               (streams.lidar_stream, lidar, [-40.0, 40.0])):
        host.load_state_dict(stream.state_dict())
        for merge in streams.merges:
            merge.alpha.data = torch.tensor(alpha)
        levels = streams(camera, lidar)
        assert len(levels) == 2
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(levels, host(bev)))


def test_the_streams_exchange_after_every_stage():
    streams, (camera, lidar) = build(), maps()
    # With its share of the sum at zero, the exchange is the LiDAR stream's only way into the result.
    for merge in streams.merges:
        merge.alpha.data = torch.tensor([40.0, -40.0])
    levels, without = streams(camera, lidar), streams(camera, torch.zeros_like(lidar))
    assert [tuple(level.shape) for level in levels] == [(2, 8, 6, 8), (2, 16, 3, 4)]
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(levels, without))
    # What the first exchange brought goes on into the second stage, and only there.
    streams.exchanges[0].camera_attention.out_proj.bias.data += 1.0
    moved = streams(camera, lidar)
    assert torch.allclose(moved[0], levels[0] + 1.0, atol=1e-5)
    assert not torch.allclose(moved[1], levels[1], atol=1e-3)
    streams.exchanges[1].lidar_attention.out_proj.bias.data += 1.0
    assert torch.equal(streams(camera, lidar)[0], moved[0])


def test_the_stages_start_as_the_hosts_do():
    streams = build()
    before = streams.lidar_stream.blocks[0][0].weight.clone()
    streams.init_weights()
    weight = streams.lidar_stream.blocks[0][0].weight
    assert not torch.equal(weight, before)
    # Kaiming: variance 2 / fan_out = 2 / (9 * 8).
    assert abs(weight.std().item() - (2 / 72) ** 0.5) < 0.02


def silence(exchanges):
    """Lets the layers pass their inputs."""
    for exchange in exchanges:
        for attention in (exchange.camera_attention, exchange.lidar_attention):
            torch.nn.init.zeros_(attention.out_proj.weight)
            torch.nn.init.zeros_(attention.out_proj.bias)


def test_without_exchange_each_stream_of_the_neck_is_the_hosts():
    streams, neck = build(merge=False, exchange=False), GeminiTwoStreamFPN(**NECK, heads=2).eval()
    silence(neck.exchanges)
    levels = streams(*maps())
    assert [tuple(level.shape) for level in levels] == [(2, 8, 6, 8), (2, 16, 3, 4)] * 2
    host = SECONDFPN(**NECK).eval()
    for stream, own, alpha in ((neck.camera_stream, levels[:2], [40.0, -40.0]),
                               (neck.lidar_stream, levels[2:], [-40.0, 40.0])):
        host.load_state_dict(stream.state_dict())
        for merge in neck.merges:
            merge.alpha.data = torch.tensor(alpha)
        (found,), (expected,) = neck(levels), host(own)
        assert found.shape == (2, 12, 6, 8) and torch.allclose(found, expected, atol=1e-6)


def test_the_streams_exchange_in_the_neck_alone_where_asked():
    streams, neck = build(merge=False, exchange=False), GeminiTwoStreamFPN(**NECK, heads=2).eval()
    camera, lidar = maps()
    for merge in neck.merges:
        merge.alpha.data = torch.tensor([40.0, -40.0])
    levels, without = streams(camera, lidar), streams(camera, torch.zeros_like(lidar))
    assert all(map(torch.equal, levels[:2], without[:2]))
    (fused,), (alone,) = neck(levels), neck(without)
    assert not torch.allclose(fused[:, :8], alone[:, :8], atol=1e-3)
    assert not torch.allclose(fused[:, 8:], alone[:, 8:], atol=1e-3)


def test_a_neck_without_exchange_is_one_whose_layers_pass_their_inputs():
    levels = build(merge=False, exchange=False)(*maps())
    silent, without = (GeminiTwoStreamFPN(**NECK, heads=2, exchange=exchange).eval()
                       for exchange in (True, False))
    silence(silent.exchanges)
    without.load_state_dict({name: values for name, values in silent.state_dict().items()
                             if not name.startswith('exchanges.')})
    assert torch.equal(without(levels)[0], silent(levels)[0])


def test_both_streams_are_what_a_merge_would_have_summed():
    both, summed = build(merge=False), build()
    summed.load_state_dict(both.state_dict(), strict=False)
    levels = both(*maps())
    for camera, lidar, fused in zip(levels[:2], levels[2:], summed(*maps())):
        assert torch.allclose((camera + lidar) / 2, fused, atol=1e-6)


def test_every_parameter_of_backbone_and_neck_learns():
    streams, neck = build(merge=False, layer=dict(relation='both')), GeminiTwoStreamFPN(**NECK, heads=2)
    neck(streams(*maps()))[0].square().sum().backward()
    assert [name for part in (streams, neck) for name, p in part.named_parameters() if p.grad is None] == []
    assert streams.exchanges[0].relation.with_twin


def test_streams_that_never_meet_and_levels_of_one_stream_are_refused():
    with pytest.raises(ValueError, match='never exchange'):
        build(exchange=False)
    with pytest.raises(ValueError, match='needs 4 levels, got 2'):
        GeminiTwoStreamFPN(**NECK, heads=2)(build()(*maps()))
