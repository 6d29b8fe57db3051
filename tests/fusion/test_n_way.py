"""Fusion of any number of maps: equal to GeminiFusion and to the official scheme, blind to absent maps."""
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from geminifusion3d.fusion.gemini_fusion import GeminiFusion
from geminifusion3d.fusion.n_way import GeminiGatedMaxFusion, GeminiNWayFusion

CHANNELS, HEADS = 8, 2


def lively(fuser):
    """Return a fuser with weights all different from their start, in float64."""
    for name, parameter in fuser.named_parameters():
        generator = torch.Generator().manual_seed(sum(place * ord(one) for place, one in enumerate(name)))
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return fuser.double().eval()


def make_maps(number, seed=0):
    """Return maps of 2 samples, 3 rows and 5 columns."""
    torch.manual_seed(seed)
    return list(torch.randn(number, 2, CHANNELS, 3, 5, dtype=torch.float64))


@pytest.mark.parametrize('switches', [dict(), dict(relation='scaled'), dict(relation='both'),
                                      dict(relation='none'), dict(noise=False), dict(layers=2)], ids=str)
def test_of_two_maps_it_is_gemini_fusion(switches):
    two = lively(GeminiFusion(CHANNELS, HEADS, **switches))
    n_way = GeminiNWayFusion(CHANNELS, 2, HEADS, **switches)
    names = {'camera_attention': 'attentions.0', 'lidar_attention': 'attentions.1'}

    def renamed(name):
        for ours, theirs in names.items():
            name = name.replace(ours, theirs)
        return name
    n_way.double().load_state_dict({renamed(name): weight for name, weight in two.state_dict().items()})
    maps = make_maps(2)
    assert torch.allclose(n_way(*maps), two(*maps), rtol=0, atol=1e-13)
    # Without the LiDAR the camera attends to itself alone.
    absent = torch.tensor([[True, False]] * 2)
    assert not torch.allclose(n_way(*maps, is_present=absent), two(*maps), atol=1e-3)


def test_a_permutation_of_the_modalities_and_their_weights_changes_nothing():
    fuser, permuted = lively(GeminiNWayFusion(CHANNELS, 3, HEADS)), GeminiNWayFusion(CHANNELS, 3, HEADS)
    maps = make_maps(3)
    order = [2, 0, 1]
    weights = dict(fuser.state_dict())
    for name in ('alpha', 'layers.0.k_noise.weight', 'layers.0.v_noise.weight'):
        weights[name] = weights[name][order]
    for new, old in enumerate(order):
        for name, weight in fuser.layers[0].attentions[old].state_dict().items():
            weights[f'layers.0.attentions.{new}.{name}'] = weight
    permuted.double().load_state_dict(weights)
    outputs = fuser.layers[0]([bev.movedim(1, -1) for bev in maps])
    swapped = permuted.layers[0]([maps[i].movedim(1, -1) for i in order])
    assert all(torch.allclose(new, outputs[old], rtol=0, atol=1e-13) for new, old in zip(swapped, order))
    assert torch.allclose(permuted(*(maps[i] for i in order)), fuser(*maps), rtol=0, atol=1e-13)
    assert not torch.allclose(fuser(*(maps[i] for i in order)), fuser(*maps), atol=1e-2)


@pytest.mark.parametrize('absent', [0, 1, 2])
def test_an_absent_modality_equals_never_having_had_it(absent):
    fuser, maps = lively(GeminiNWayFusion(CHANNELS, 3, HEADS, layers=2)), make_maps(3)
    here = [i for i in range(3) if i != absent]
    never = GeminiNWayFusion(CHANNELS, 2, HEADS, layers=2).double()
    weights = {name: weight for name, weight in fuser.state_dict().items() if '.attentions.' not in name}
    weights = {name: weight[here] if name == 'alpha' or 'noise' in name else weight
               for name, weight in weights.items()}
    for layer, modules in enumerate(fuser.layers):
        for new, old in enumerate(here):
            weights.update({f'layers.{layer}.attentions.{new}.{name}': weight
                            for name, weight in modules.attentions[old].state_dict().items()})
    never.load_state_dict(weights)
    # Absent in the first sample only; what stands in its place is not even a number.
    is_present = torch.ones(2, 3, dtype=torch.bool)
    is_present[0, absent] = False
    damaged = [bev.clone().requires_grad_() for bev in maps]
    damaged[absent].data[0] = torch.nan
    fused = fuser(*damaged, is_present=is_present)
    assert torch.allclose(fused[0], never(*(maps[i] for i in here))[0], rtol=0, atol=1e-13)
    assert torch.allclose(fused[1], fuser(*maps)[1], rtol=0, atol=1e-13)
    fused.sum().backward()
    assert all(bev.grad.isfinite().all() for bev in damaged) and not damaged[absent].grad[0].any()


def test_a_sample_without_any_map_is_finite_and_all_present_is_no_mask():
    fuser, maps = lively(GeminiNWayFusion(CHANNELS, 3, HEADS)), make_maps(3)
    nothing, everything = torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)
    assert fuser(*maps, is_present=nothing).isfinite().all()
    assert torch.equal(fuser(*maps, is_present=everything), fuser(*maps))


def test_the_gated_maximum_equals_the_scheme_written_out():
    fuser, (main, *others) = lively(GeminiGatedMaxFusion(CHANNELS, 4, dict(heads=HEADS))), make_maps(4)
    gated = []
    for (depthwise, reduce), bev in zip(fuser.score_nets, others):
        padded = torch.nn.functional.pad(bev, (1, 1, 1, 1))
        neighbours = sum(depthwise.weight[:, 0, dy, dx].view(1, -1, 1, 1) * padded[..., dy:dy + 3, dx:dx + 5]
                         for dy in range(3) for dx in range(3)) + depthwise.bias.view(1, -1, 1, 1)
        score = ((neighbours * reduce.weight.view(1, -1, 1, 1)).sum(1, keepdim=True) + reduce.bias).sigmoid()
        gated.append(bev + score * bev)
    largest = gated[0].maximum(gated[1]).maximum(gated[2])
    assert torch.allclose(fuser(main, *others), fuser.fuser(main, largest), rtol=0, atol=1e-12)
    # Two stages: the others keep what is their own.
    new_main, common = fuser.fuser.exchange(main, largest)
    for found, expected in zip(fuser.exchange(main, *others), [new_main, *(bev + common for bev in gated)]):
        assert torch.allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize('kind', [GeminiNWayFusion, GeminiGatedMaxFusion])
def test_the_cost_is_linear_in_the_cells(kind):
    fuser = kind(CHANNELS, 3).requires_grad_(False)

    def count(n_x):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            fuser(*torch.randn(3, 1, CHANNELS, 6, n_x))
        return counter.get_total_flops()
    assert count(20) == 2 * count(10) > 0


@pytest.mark.parametrize('kind', [GeminiNWayFusion, GeminiGatedMaxFusion])
def test_every_parameter_learns_and_other_maps_are_refused(kind):
    fuser, maps = lively(kind(CHANNELS, 3)).train(), make_maps(3)
    fuser(*maps).square().sum().backward()
    assert [name for name, p in fuser.named_parameters() if p.grad is None or not p.grad.any()] == []
    for wrong in (maps[:2], [*maps[:2], maps[2].mT], [bev[0] for bev in maps]):
        with pytest.raises(ValueError, match=r'needs 3 maps \(B, C, Y, X\) of one shape, got'):
            fuser(*wrong)
    with pytest.raises(ValueError, match='two or more modalities, got modalities=1'):
        kind(CHANNELS, 1)


def test_half_precision_stays_close():
    fuser, maps = lively(GeminiNWayFusion(CHANNELS, 3, HEADS)).float(), [one.float() for one in make_maps(3)]
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        half = fuser(*maps)
    assert torch.allclose(half.float(), fuser(*maps), atol=0.2) and half.dtype == torch.float32


def test_the_gate_starts_as_the_plain_shares_and_then_sees_features_and_presence():
    plain, gated, maps = (lively(GeminiNWayFusion(CHANNELS, 3, HEADS)),
                          GeminiNWayFusion(CHANNELS, 3, HEADS, gate=True).double().eval(), make_maps(3))
    gated.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(gated(*maps), plain(*maps))
    # Share of the first modality: where its first channel is positive, and nothing elsewhere.
    gated.gate.weight.data[0, 0] = 1e6
    enriched = [one.movedim(-1, 1) for one in plain.layers[0]([bev.movedim(1, -1) for bev in maps])]
    others = plain.alpha[1:].softmax(0).view(-1, 1, 1, 1, 1) * torch.stack(enriched[1:])
    expected = enriched[0].where(maps[0][:, :1] > 0, others.sum(0))
    assert torch.allclose(gated(*maps), expected, rtol=0, atol=1e-12)
    # The second modality alone where the third is absent: the flags follow the features.
    gated.gate.weight.data.zero_()
    gated.gate.weight.data[2, 3 * CHANNELS + 1] = gated.gate.weight.data[0, 3 * CHANNELS + 2] = -1e6
    is_present = torch.tensor([[True, True, False]] * 2)
    assert torch.allclose(gated(*maps, is_present=is_present), plain(*maps, is_present=is_present))
    gated.gate.bias.data[0] = -1e6
    alone = plain.layers[0]([bev.movedim(1, -1) for bev in maps], is_present.T[..., None, None])[1]
    assert torch.allclose(gated(*maps, is_present=is_present), alone.movedim(-1, 1))
