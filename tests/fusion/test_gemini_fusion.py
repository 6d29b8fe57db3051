"""GeminiFusion: equal to its formula, pixel-wise, symmetric, and each part of it has an effect."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.fusion.gemini_fusion import CAMERA, DIRECTIONS, LIDAR, GeminiFusion

SWITCHES = [dict(), dict(noise=False), dict(relation=False), dict(noise=False, relation=False),
            dict(relation='both'), dict(directions='camera_from_lidar'), dict(directions='lidar_from_camera'),
            dict(merge='concat')]


def name_of(switches):
    """A test's name for a choice of switches."""
    return '-'.join(f'{key}={value}' for key, value in switches.items()) or 'as published'


def build(layers=2, **switches):
    """Returns a fuser whose parameters are all different from their start."""
    fuser = GeminiFusion(channels=8, heads=2, layers=layers, **switches).eval()
    for name, parameter in fuser.named_parameters():
        # The same values for the same name, whatever else the fuser has.
        generator = torch.Generator().manual_seed(sum(map(ord, name)))
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    return fuser


def maps(seed=1):
    """Returns two maps of 3 rows and 5 columns."""
    torch.manual_seed(seed)
    return torch.randn(2, 8, 3, 5), torch.randn(2, 8, 3, 5)


def attend_slowly(attention, own, other, cross, noise_k, noise_v):
    """Returns one cell's enriched feature, head by head, with a softmax over its two keys."""
    def project(layer, vector):
        return layer.weight @ vector + (0 if layer.bias is None else layer.bias)
    query = project(attention.q_proj, own)
    keys = [project(attention.k_proj, own + noise_k), project(attention.k_proj, cross)]
    values = [project(attention.v_proj, own + noise_v), project(attention.v_proj, other)]
    mixed, size = torch.zeros_like(own), len(own) // attention.heads
    for head in range(attention.heads):
        part = slice(head * size, (head + 1) * size)
        logits = torch.stack([query[part] @ key[part] / size ** 0.5 for key in keys])
        shares = logits.softmax(0)
        assert shares.sum() == pytest.approx(1)
        mixed[part] = shares[0] * values[0][part] + shares[1] * values[1][part]
    return own + project(attention.out_proj, mixed)


def enrich_slowly(layer, own, other, modality):
    """Returns one cell's feature after one layer, from the formula alone."""
    attention = (layer.camera_attention, layer.lidar_attention)[modality]
    if attention is None:
        return own
    cross = other
    if layer.relation is not None:
        hidden = F.gelu(layer.relation.fc1.weight @ torch.cat([own, other]) + layer.relation.fc1.bias)
        cross = own * (layer.relation.fc2.weight @ hidden + layer.relation.fc2.bias).softmax(0)
        if layer.relation.with_twin:
            cross = (len(own) * cross + other) / 2
    noise = [0.0 if table is None else table.weight[modality] for table in (layer.k_noise, layer.v_noise)]
    return attend_slowly(attention, own, other, cross, *noise)


def fuse_slowly(fuser, camera, lidar):
    """Returns the two enriched maps, one cell after the other."""
    results = torch.zeros_like(camera), torch.zeros_like(lidar)
    for b in range(camera.shape[0]):
        for i in range(camera.shape[2]):
            for j in range(camera.shape[3]):
                cell = camera[b, :, i, j], lidar[b, :, i, j]
                for layer in fuser.layers:
                    cell = (enrich_slowly(layer, cell[0], cell[1], CAMERA),
                            enrich_slowly(layer, cell[1], cell[0], LIDAR))
                for result, feature in zip(results, cell):
                    result[b, :, i, j] = feature
    return results


@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_it_equals_a_slow_loop_written_from_the_formula(switches):
    fuser, (camera, lidar) = build(**switches).double(), (bev.double() for bev in maps())
    with torch.no_grad():
        expected = fuse_slowly(fuser, camera, lidar)
        found = fuser.exchange(camera, lidar)
        assert torch.allclose(found[0], expected[0], rtol=0, atol=1e-11)
        assert torch.allclose(found[1], expected[1], rtol=0, atol=1e-11)


@pytest.mark.parametrize('switches', SWITCHES[:-1], ids=name_of)
def test_moving_the_cells_moves_the_result_and_nothing_else(switches):
    fuser, (camera, lidar) = build(**switches), maps()
    order = torch.randperm(15)

    def shuffle(bev):
        return bev.flatten(2)[..., order].view_as(bev)
    assert torch.allclose(fuser(shuffle(camera), shuffle(lidar)), shuffle(fuser(camera, lidar)), atol=1e-6)


@pytest.mark.parametrize('switches', SWITCHES[:4], ids=name_of)
def test_swapping_the_modalities_and_their_weights_changes_nothing(switches):
    fuser, swapped, (camera, lidar) = build(**switches), build(**switches), maps()
    for ours, theirs in zip(fuser.layers, swapped.layers):
        theirs.camera_attention.load_state_dict(ours.lidar_attention.state_dict())
        theirs.lidar_attention.load_state_dict(ours.camera_attention.state_dict())
        if ours.k_noise is not None:
            theirs.k_noise.weight.data = ours.k_noise.weight.data.flip(0)
            theirs.v_noise.weight.data = ours.v_noise.weight.data.flip(0)
    swapped.alpha.data = fuser.alpha.data.flip(0)
    assert torch.allclose(swapped(lidar, camera), fuser(camera, lidar), atol=1e-6)
    assert not torch.allclose(fuser(lidar, camera), fuser(camera, lidar), atol=1e-2)


def test_alpha_weighs_the_two_outputs_by_its_softmax():
    fuser, bevs = build(), maps()
    new_camera, new_lidar = fuser.exchange(*bevs)
    fuser.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    assert torch.allclose(fuser(*bevs), 0.75 * new_camera + 0.25 * new_lidar, atol=1e-6)


def test_concatenation_convolves_the_two_outputs_camera_first():
    fuser, bevs = build(merge='concat'), maps()
    weight, norm = fuser.merge[0].weight, fuser.merge[1]
    parts = [F.conv2d(bev, part, padding=1) for bev, part in zip(fuser.exchange(*bevs), weight.chunk(2, 1))]
    # Fresh running statistics: mean 0, variance 1.
    scale, shift = (value.view(1, -1, 1, 1) for value in (norm.weight / (1 + norm.eps) ** 0.5, norm.bias))
    assert torch.allclose(fuser(*bevs), ((parts[0] + parts[1]) * scale + shift).relu(), atol=1e-5)


def test_every_switch_changes_the_result():
    camera, lidar = maps()
    results = [build(**switches)(camera, lidar) for switches in [*SWITCHES, dict(layers=1)]]
    for number, result in enumerate(results):
        for other in results[:number]:
            assert not torch.allclose(result, other, atol=1e-2)


@pytest.mark.parametrize('directions, read', [('camera_from_lidar', LIDAR), ('lidar_from_camera', CAMERA)])
def test_one_direction_leaves_the_map_that_it_reads_unchanged(directions, read):
    bevs = maps()
    enriched = build(directions=directions).exchange(*bevs)
    assert torch.equal(enriched[read], bevs[read])
    both = build().exchange(*bevs)
    first = build(layers=1).exchange(*bevs)[1 - read]
    # One direction alone takes other products for the hidden layer.
    alone = build(layers=1, directions=directions).exchange(*bevs)[1 - read]
    assert torch.allclose(alone, first, atol=1e-5)
    # In a second layer the map that is read has been enriched itself only with both directions.
    assert not torch.allclose(enriched[1 - read], both[1 - read], atol=1e-3)


@pytest.mark.parametrize('row', [CAMERA, LIDAR])
@pytest.mark.parametrize('name', ['k_noise', 'v_noise'])
def test_each_modality_of_each_layer_has_its_own_noise(name, row):
    fuser, (camera, lidar) = build(), maps()
    before = fuser(camera, lidar)
    for layer in fuser.layers:
        changed = getattr(layer, name).weight
        kept = changed.data.clone()
        changed.data[row] += 1.0
        assert not torch.allclose(fuser(camera, lidar), before, atol=1e-4)
        changed.data = kept


@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_every_parameter_learns(switches):
    fuser, (camera, lidar) = build(**switches).train(), maps()
    (fuser(camera, lidar) * lidar).sum().backward()
    silent = [name for name, p in fuser.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_switched_off_parts_hold_no_parameters():
    # C = 8: relation 2CC + C + CC + C = 208, noise 2 x 2C = 32, one direction 4CC + 3C = 280, a layer.
    def count(**switches):
        return sum(p.numel() for p in build(layers=1, **switches).parameters())
    assert count() == 208 + 32 + 2 * 280 + 2
    assert count() - count(relation=False) == 208
    assert count() - count(noise=False) == 32
    assert count() - count(directions='camera_from_lidar') == 280
    assert count(merge='concat') - count() == 9 * 2 * 8 * 8 + 2 * 8 - 2


@pytest.mark.parametrize('wrong, message', [
    (dict(directions='lidar'), "got directions='lidar'; expected one of both, camera_from_lidar"),
    (dict(merge='sum'), "got merge='sum'; expected one of alpha, concat"),
    (dict(layers=0), 'at least one layer, got layers=0')])
def test_unknown_values_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        GeminiFusion(**{**dict(channels=8, heads=2), **wrong})


def test_the_directions_are_named_after_the_map_that_is_enriched():
    assert DIRECTIONS['camera_from_lidar'] == (CAMERA,) and DIRECTIONS['lidar_from_camera'] == (LIDAR,)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match='5 heads for 12 channels'):
        GeminiFusion(channels=12, heads=5)
