"""The reliability gate: neutral at first, then the formula; it shuts a sensor out by flag or by content."""
import pytest
import torch
from mmdet3d.registry import MODELS
from tiny_detector import build_detector, make_batch

from geminifusion3d.fusion.reliability_gate import GeminiReliabilityGate

FUSERS = [dict(_delete_=True, type='GeminiFusion', channels=48, heads=4),
          dict(_delete_=True, type='GeminiAddFuser', channels=48),
          dict(_delete_=True, type='GeminiConvFuser', in_channels=[48, 48], out_channels=48),
          dict(_delete_=True, type='GeminiNWayFusion', channels=48, modalities=2, heads=4)]
GATE = dict(type='GeminiReliabilityGate', channels=48)
LACKS_LIDAR = torch.tensor([[True, True], [True, False]])


def build(**options):
    """Returns a gate of three channels whose parameters are all different from their start."""
    torch.manual_seed(0)
    gate = GeminiReliabilityGate(channels=3, hidden_channels=5, **options)
    for parameter in gate.parameters():
        torch.nn.init.normal_(parameter)
    return gate.double()


def maps(number=2, channels=3):
    """Returns maps of 2 samples, 4 rows and 6 columns."""
    torch.manual_seed(1)
    return torch.randn(number, 2, channels, 4, 6, dtype=torch.float64).unbind()


@pytest.mark.parametrize('per_channel', [False, True])
def test_at_first_the_maps_pass_bit_by_bit_whatever_is_there(per_channel):
    gate = GeminiReliabilityGate(channels=3, per_channel=per_channel).double()
    gate.init_weights()
    for is_present in (None, LACKS_LIDAR):
        assert all(torch.equal(after, before) for after, before in zip(gate(*maps(), is_present=is_present),
                                                                       maps()))


@pytest.mark.parametrize('per_channel', [False, True])
@pytest.mark.parametrize('number', [2, 3])
def test_each_cell_is_weighed_by_the_formula(number, per_channel):
    gate, bevs = build(modalities=number, per_channel=per_channel), maps(number)
    is_present = torch.tensor([[True] * number, [True] + [False] * (number - 1)])
    found = gate(*bevs, is_present=is_present)
    first, _, last = gate.score
    for b, y, x in ((0, 0, 0), (1, 3, 5), (1, 2, 1)):
        seen = torch.cat([*(bev[b, :, y, x] for bev in bevs), is_present[b].double()])
        hidden = (first.weight[:, :, 0, 0] @ seen + first.bias).clamp(min=0)
        weights = 2 / (1 + (-(last.weight[:, :, 0, 0] @ hidden + last.bias)).exp())
        for bev, after, weight in zip(bevs, found, weights.chunk(number)):
            assert torch.allclose(after[b, :, y, x], weight * bev[b, :, y, x], rtol=0, atol=1e-13)
    # No word of what is there says that all are.
    told = gate(*bevs, is_present=torch.ones(2, number, dtype=torch.bool))
    assert all(torch.equal(*pair) for pair in zip(told, gate(*bevs)))


def test_it_can_shut_out_what_is_absent_whatever_its_map_holds():
    gate, (camera, lidar) = build(), maps()
    for parameter in gate.parameters():
        torch.nn.init.zeros_(parameter)
    # Hidden channel 0 is the LiDAR's flag; without it the LiDAR's logit is -800.
    gate.score[0].weight.data[0, 7] = 1.0
    gate.score[2].weight.data[1, 0], gate.score[2].bias.data[1] = 800.0, -800.0
    new_camera, new_lidar = gate(camera, 1000 * lidar, is_present=LACKS_LIDAR)
    assert torch.equal(new_camera, camera) and not new_lidar[1].any()
    assert torch.allclose(new_lidar[0], 1000 * lidar[0])


def test_it_learns_which_cells_of_a_map_are_noise():
    torch.manual_seed(0)
    gate = GeminiReliabilityGate(channels=3)
    optimiser, losses = torch.optim.Adam(gate.parameters(), lr=0.02), []
    for _ in range(150):
        truth = torch.randn(4, 2, 4, 6)
        # The third channel tells where a map is noise, as its own texture would.
        is_noise = (torch.rand(4, 1, 4, 6) < 0.5).float()
        camera = torch.cat([torch.where(is_noise > 0, torch.randn_like(truth), truth), is_noise], dim=1)
        lidar = torch.cat([truth + torch.randn_like(truth), torch.zeros_like(is_noise)], dim=1)
        loss = (sum(gate(camera, lidar))[:, :2] - truth).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])
    weights = gate.weights(camera, lidar).detach()
    assert weights[:, :1][is_noise > 0].mean() < 0.3 < weights[:, :1][is_noise == 0].mean()


def test_gradients_reach_every_parameter():
    gate = build(per_channel=True)
    sum(bev.square().sum() for bev in gate(*maps(), is_present=LACKS_LIDAR)).backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in gate.parameters())


def test_half_precision_stays_close():
    gate, bevs = build().float(), [bev.float() for bev in maps()]
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        half = gate(*bevs, is_present=LACKS_LIDAR)
    exact = gate(*bevs, is_present=LACKS_LIDAR)
    assert all(torch.allclose(one.float(), other, atol=0.1) for one, other in zip(half, exact))


def test_other_maps_than_it_was_made_for_are_refused():
    with pytest.raises(ValueError, match='2 maps of one shape'):
        build()(*maps(3))
    with pytest.raises(ValueError, match='2 maps of one shape'):
        build()(maps()[0], maps()[1][..., 1:])


@pytest.mark.parametrize('fuser', FUSERS, ids=lambda fuser: fuser['type'])
def test_in_the_detector_it_stands_before_any_fuser_and_knows_what_is_there(fuser):
    plain, gated = build_detector(fuser=fuser).eval(), build_detector(fuser=fuser, gate=GATE).eval()
    gated.load_state_dict(plain.state_dict(), strict=False)
    bevs = [bev.float() for bev in maps(channels=48)]
    with torch.no_grad():
        assert torch.equal(gated.fuse(bevs, LACKS_LIDAR).bev, plain.fuse(bevs, LACKS_LIDAR).bev)
        torch.nn.init.normal_(gated.gate.score[-1].weight)
        told, untold = gated.fuse(bevs, LACKS_LIDAR).bev, gated.fuse(bevs).bev
    assert torch.equal(told[0], untold[0]) and not torch.allclose(told[1], untold[1], atol=1e-3)


def test_the_detector_hands_it_which_sensors_a_sample_lacks():
    model, batch, seen = build_detector(gate=GATE).eval(), make_batch(), []
    model.gate.register_forward_hook(
        lambda module, inputs, kwargs, output: seen.append(kwargs['is_present']), with_kwargs=True)
    batch['inputs']['points'][1] = batch['inputs']['points'][1][:0]
    batch['data_samples'][0].set_metainfo(dict(camera_present=[False] * 6))
    with torch.no_grad():
        model(**model.data_preprocessor(batch, training=False), mode='tensor')
    assert seen[0].tolist() == [[False, True], [True, False]]


def test_a_gate_of_another_number_of_maps_is_refused():
    with pytest.raises(ValueError, match='gate GeminiReliabilityGate takes 3 maps, got 2 sensors'):
        build_detector(gate=dict(GATE, modalities=3))
    assert MODELS.build(GATE).modalities == 2
