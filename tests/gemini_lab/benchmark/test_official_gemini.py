"""GeminiFusion against the official formula: results, gradients, precisions, layouts, blocks, compilers."""
import copy
import io
import subprocess
import sys
from functools import partial

import pytest
import torch

from gemini_lab.benchmark.fusers import OfficialGeminiFusion, official_layer
from geminifusion3d.fusion import gemini_fusion
from geminifusion3d.fusion.gemini_fusion import GeminiFusion, GeminiFusionLayer

CHANNELS, HEADS = 12, 3
SWITCHES = [dict(noise=noise, relation=relation, directions=directions)
            for noise in (True, False) for relation in ('softmax', 'none')
            for directions in ('both', 'camera_from_lidar', 'lidar_from_camera')] + [
                dict(relation='scaled'), dict(relation='both')]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Makes several blocks of small maps, and an incomplete one at the end."""
    monkeypatch.setattr(gemini_fusion, 'CELLS_PER_BLOCK', 8)


def make_lively(module):
    """Gives every weight and bias a value of its own, with logits neither flat nor extreme."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.7 / CHANNELS ** 0.5 if parameter.dim() == 2 else 0.3)
    return module


def lively_fuser(**switches):
    """Returns a fuser of two layers."""
    return make_lively(GeminiFusion(channels=CHANNELS, heads=HEADS, layers=2, **switches))


def make_maps(layout='channels last', dtype=torch.float64):
    """Returns two maps of 2 samples, 3 rows and 7 columns."""
    torch.manual_seed(1)
    pair = torch.randn(2, 2, CHANNELS, 3, 7, dtype=torch.float64).to(dtype).unbind()
    last, first = ([one.contiguous(memory_format=order) for one in pair]
                   for order in (torch.channels_last, torch.contiguous_format))
    return {'channels last': last, 'channels first': first, 'mixed': [last[0], first[1]]}[layout]


def results_and_gradients(module, maps):
    """Returns the fused map, then the gradients of the maps and of every parameter."""
    leaves = [one.detach().requires_grad_() for one in maps]
    fused = module(*leaves)
    torch.manual_seed(2)
    upstream = torch.randn(fused.shape, dtype=torch.float64).to(fused.dtype)
    return [fused, *torch.autograd.grad(fused, [*leaves, *module.parameters()], upstream)]


def relative_error(found, expected):
    """Returns the largest difference as a part of the largest value."""
    found, expected = found.detach().double(), expected.detach().double()
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize('layout', ['channels last', 'channels first', 'mixed'])
@pytest.mark.parametrize('switches', SWITCHES, ids=str)
def test_results_and_gradients_equal_the_official_formulas(switches, layout):
    fuser, maps = lively_fuser(**switches).double(), make_maps(layout)
    found = results_and_gradients(fuser, maps)
    expected = results_and_gradients(OfficialGeminiFusion(fuser=fuser), maps)
    assert max(map(relative_error, found, expected)) <= 1e-12


def test_a_layer_works_on_cells_of_any_shape():
    layer = make_lively(GeminiFusionLayer(channels=CHANNELS, heads=HEADS)).double()
    for shape in [(5,), (2, 3, 4), (0,)]:
        cells = torch.randn(2, *shape, CHANNELS, dtype=torch.float64).unbind()
        for found, expected in zip(layer(*cells), official_layer(layer, *cells)):
            assert found.shape == expected.shape and torch.allclose(found, expected, rtol=0, atol=1e-12)


def test_maps_without_cells_give_maps_without_cells():
    empty = torch.zeros(2, CHANNELS, 0, 7, requires_grad=True)
    fused = lively_fuser()(empty, empty)
    fused.sum().backward()
    assert fused.shape == empty.shape and empty.grad.shape == empty.shape


def test_sum_and_difference_of_maps_of_unlike_size_lose_little():
    # The relation network sees the sum of the maps, in which the smaller one is rounded away.
    fuser, (camera, lidar) = lively_fuser(), make_maps(dtype=torch.float32)
    exact = OfficialGeminiFusion(fuser=copy.deepcopy(fuser).double())
    with torch.no_grad():
        expected = exact(1e3 * camera.double(), lidar.double())
        assert relative_error(fuser(1e3 * camera, lidar), expected) <= 1e-5


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize('autocast', [True, False])
def test_half_precision_is_as_exact_as_the_official_formula(dtype, autocast):
    fuser, maps = lively_fuser(), make_maps()
    exact = results_and_gradients(OfficialGeminiFusion(fuser=copy.deepcopy(fuser).double()), maps)
    if not autocast:
        fuser = fuser.to(dtype)
    maps = [one.to(torch.float32 if autocast else dtype) for one in maps]
    with torch.autocast('cpu', dtype, enabled=autocast):
        ours, official = (results_and_gradients(one, maps)
                          for one in (fuser, OfficialGeminiFusion(fuser=fuser)))
    assert ours[0].dtype == (torch.float32 if autocast else dtype)
    rms = [sum(relative_error(*pair) ** 2 for pair in zip(found, exact)) ** 0.5 for found in (ours, official)]
    assert rms[0] <= 1.3 * rms[1] and rms[0] > 0


def test_logits_and_scores_are_float32_under_autocast():
    layer, seen = GeminiFusionLayer(channels=CHANNELS, heads=HEADS), []
    layer.relation.register_forward_hook(lambda module, inputs, scores: seen.extend(scores))
    with torch.autocast('cpu', torch.bfloat16):
        layer(*torch.randn(2, 5, CHANNELS).unbind())
    assert [one.dtype for one in seen] == [torch.float32] * 2


def test_gradients_are_those_of_finite_differences_twice():
    fuser = make_lively(GeminiFusion(channels=4, heads=2)).double()
    maps = [one[:1, :4, :2, :2].clone().requires_grad_() for one in make_maps()]
    leaves = (*maps, *fuser.parameters())
    assert torch.autograd.gradcheck(lambda *leaves: fuser(*leaves[:2]), leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(lambda *leaves: fuser(*leaves[:2]), leaves, fast_mode=True)


def test_hooks_see_each_projection():
    fuser, (camera, lidar) = lively_fuser(), make_maps(dtype=torch.float32)
    seen = {}

    def record(module, inputs, output, name):
        seen.setdefault(name, []).append(output)
    for name in ('layers.1.camera_attention.q_proj', 'layers.0.lidar_attention.out_proj',
                 'layers.0.relation'):
        fuser.get_submodule(name).register_forward_hook(partial(record, name=name))
    fuser(camera, lidar)
    # 2 samples of 21 cells, 8 per block.
    assert [len(outputs) for outputs in seen.values()] == [6, 6, 6]
    assert seen['layers.1.camera_attention.q_proj'][-1].shape == (2, CHANNELS)


def test_it_compiles_in_one_piece():
    # In a process of its own: the shape checks that these tests put around functions do not compile.
    subprocess.run([sys.executable, '-W', 'ignore', '-c', """if True:
        import torch
        from geminifusion3d.fusion.gemini_fusion import GeminiFusion
        fuser = GeminiFusion(channels=16)
        maps = [torch.randn(1, 16, 70, 70, requires_grad=True) for _ in range(2)]
        found = torch.compile(fuser, backend='aot_eager', fullgraph=True)(*maps)
        torch.testing.assert_close(found, fuser(*maps))
        found.sum().backward()
        assert all(one.grad is not None for one in (*maps, *fuser.parameters()))
        """], check=True, timeout=240)


def test_it_exports_with_torch_and_runs_the_same():
    fuser, maps = lively_fuser().eval(), tuple(make_maps(dtype=torch.float32))
    exported = torch.export.export(fuser, maps)
    assert relative_error(exported.module()(*maps), fuser(*maps)) <= 1e-6


def test_it_exports_to_onnx_and_runs_the_same():
    pytest.importorskip('onnx')
    reference = pytest.importorskip('onnx.reference')
    fuser, maps = lively_fuser().eval(), tuple(make_maps(dtype=torch.float32))
    file = io.BytesIO()
    torch.onnx.export(fuser, maps, file, input_names=['camera', 'lidar'], opset_version=20, dynamo=False)
    file.seek(0)
    import onnx
    found, = reference.ReferenceEvaluator(onnx.load(file)).run(
        None, {name: one.numpy() for name, one in zip(('camera', 'lidar'), maps)})
    assert relative_error(torch.from_numpy(found), fuser(*maps)) <= 1e-5


def test_blocks_change_nothing_but_the_order_of_sums(monkeypatch):
    fuser, maps = lively_fuser().double(), make_maps()
    in_blocks = results_and_gradients(fuser, maps)
    assert all(map(torch.equal, in_blocks, results_and_gradients(fuser, maps))), 'the same bits twice'
    monkeypatch.setattr(gemini_fusion, 'CELLS_PER_BLOCK', 1000)
    assert max(map(relative_error, results_and_gradients(fuser, maps), in_blocks)) <= 1e-13


def test_weights_of_earlier_versions_fit_by_name():
    names = ['alpha', 'layers.0.k_noise.weight', 'layers.0.v_noise.weight']
    names += [f'layers.0.relation.{layer}.{kind}' for layer in ('fc1', 'fc2') for kind in ('weight', 'bias')]
    for side in ('camera', 'lidar'):
        names += [f'layers.0.{side}_attention.{name}' for name in (
            'q_proj.weight', 'q_proj.bias', 'k_proj.weight', 'v_proj.weight', 'v_proj.bias',
            'out_proj.weight', 'out_proj.bias')]
    assert sorted(GeminiFusion(channels=8).state_dict()) == sorted(names)


def test_maps_and_tokens_of_the_same_cells_give_the_same():
    fuser = make_lively(GeminiFusion(CHANNELS, HEADS)).double()
    maps = make_maps()
    tokens = [one.flatten(2).mT for one in maps]
    assert torch.equal(fuser(*tokens), fuser(*maps).flatten(2).mT)


@pytest.mark.parametrize('shape', [(2, 3, 7, CHANNELS), (5, CHANNELS), (2, CHANNELS, 21)],
                         ids=['channels last', 'no batch', 'channels first'])
def test_other_shapes_are_refused_with_what_was_expected(shape):
    fuser, cells = GeminiFusion(CHANNELS, HEADS), torch.zeros(shape)
    with pytest.raises(ValueError, match=r'maps \(B, 12, Y, X\) or two tensors of tokens \(B, N, 12\), got'):
        fuser(cells, cells)


def test_tokens_cannot_be_merged_by_a_convolution():
    tokens = torch.zeros(2, 5, CHANNELS)
    with pytest.raises(ValueError, match='tokens need merge="alpha"'):
        GeminiFusion(CHANNELS, HEADS, merge='concat')(tokens, tokens)


def test_a_relu_may_follow_the_merge():
    plain, rectified = lively_fuser(), lively_fuser(activation='relu')
    rectified.load_state_dict(plain.state_dict())
    maps = make_maps(dtype=torch.float32)
    assert torch.equal(rectified(*maps), plain(*maps).clamp(min=0)) and (plain(*maps) < 0).any()


def test_a_scaled_relation_is_the_score_times_the_channels():
    camera, lidar = torch.randn(2, 5, CHANNELS, dtype=torch.float64).unbind()
    plain, scaled = (
        make_lively(GeminiFusionLayer(channels=CHANNELS, heads=HEADS, relation=relation)).double()
        for relation in ('softmax', 'scaled'))
    score, _ = plain.relation(camera, lidar)
    assert torch.allclose(score.sum(-1), torch.ones(5, dtype=torch.float64))
    by_hand = plain.camera_attention(camera, lidar, CHANNELS * score, plain.k_noise.weight[0],
                                     plain.v_noise.weight[0])
    found, _ = scaled(camera, lidar)
    assert torch.allclose(found, by_hand, rtol=0, atol=1e-13)
    assert not torch.allclose(found, plain(camera, lidar)[0], atol=1e-3)


def test_beside_a_twin_of_zeros_both_keys_are_half_the_scored_one():
    both, scaled = (
        make_lively(GeminiFusionLayer(channels=CHANNELS, heads=HEADS, relation=relation)).double()
        for relation in ('both', 'scaled'))
    scaled.relation.scale = CHANNELS / 2
    own, zeros = torch.randn(5, CHANNELS, dtype=torch.float64), torch.zeros(5, CHANNELS, dtype=torch.float64)
    assert torch.allclose(both(own, zeros)[0], scaled(own, zeros)[0], rtol=0, atol=1e-13)


@pytest.mark.parametrize('relation, least, most', [
    ('softmax', 0, 0.001), ('scaled', 0.15, 0.25), ('both', 0.55, 0.65), ('none', 0.8, 0.9)])
def test_how_much_of_the_key_an_exchanged_twin_changes(relation, least, most):
    torch.manual_seed(0)
    layer = GeminiFusionLayer(channels=256, heads=8, relation=relation)
    keys = []
    layer.camera_attention.k_proj.register_forward_hook(lambda module, inputs, output: keys.append(output))
    own, one, other = torch.randn(3, 500, 256).unbind()
    with torch.no_grad():
        layer(own, one), layer(own, other)
    # The page of the fusers names these parts.
    assert least < (keys[1] - keys[0]).norm() / keys[0].norm() < most


@pytest.mark.parametrize('short, long', [(True, 'softmax'), (False, 'none')])
def test_relation_may_be_said_as_a_flag(short, long):
    maps = make_maps()
    found, expected = (lively_fuser(relation=one).double()(*maps) for one in (short, long))
    assert torch.equal(found, expected)


# Standard deviations for C = 256: Xavier's is sqrt(2 / (fan_in + fan_out)), of a (3C, C) matrix sqrt(1 / 2C).
@pytest.mark.parametrize('init, out, fc1, logit_gap', [
    ('segmentation', 0.02, 0.02, 2 ** -0.5), ('kitti', 256 ** -0.5, 384 ** -0.5, 2 ** -0.5),
    ('default', (3 * 256) ** -0.5, (3 * 512) ** -0.5, 2 ** 0.5)])
def test_weights_and_logits_at_the_start(init, out, fc1, logit_gap):
    torch.manual_seed(0)
    layer = GeminiFusionLayer(channels=256, heads=8, init=init)
    attention = layer.camera_attention
    qkv = 256 ** -0.5 if init == 'default' else 512 ** -0.5
    for module, std in [(attention.q_proj, qkv), (attention.k_proj, qkv), (attention.v_proj, qkv),
                        (attention.out_proj, out), (layer.relation.fc1, fc1)]:
        assert module.weight.std().item() == pytest.approx(std, rel=0.02)
    if init != 'default':
        assert not any(module.bias.any() for module in (layer.relation.fc1, layer.relation.fc2))
    # For features and noise of variance 1 the gap of the logits is q . Wk (x + n) / sqrt(d), with q and the
    # key of variance C s^2 and 2 C s^2: its deviation is sqrt(2) C s^2.
    own, noise = torch.randn(2, 4000, 256).unbind()
    with torch.no_grad():
        product = attention.q_proj(own) * attention.k_proj(own + noise)
        gap = product.unflatten(-1, (8, 32)).sum(-1) / 32 ** 0.5
    assert gap.std().item() == pytest.approx(logit_gap, rel=0.15)


@pytest.mark.parametrize('switch', ['merge', 'activation', 'relation', 'directions', 'init'])
def test_unknown_choices_are_refused(switch):
    with pytest.raises(ValueError, match=f"got {switch}='guess'; expected one of "):
        GeminiFusion(CHANNELS, HEADS, **{switch: 'guess'})
