"""The fusion operator against its plain formula: results, gradients, precisions, layouts, compilation."""
import pytest
import torch
from gemini_cases import (SWITCHES, lively_layer, maps, name_of, relative_error,
                          results_and_gradients)

from geminifusion3d.ops import gemini_convolutions, gemini_passes
from geminifusion3d.ops.gemini_exchange import exchange
from geminifusion3d.ops.gemini_weights import CAMERA, fold_reader
from geminifusion3d.ops.weighted_sum import weighted_sum

ORDERS = ('channels last', 'channels first', 'mixed', 'spread')


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Makes several blocks of small maps, and an incomplete one at the end."""
    monkeypatch.setattr(gemini_passes, 'CPU_CELLS', 4)
    monkeypatch.setattr(gemini_passes, 'CONVOLVED_CELLS', 3)
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_results_and_gradients_equal_the_formulas(switches, order):
    layer, inputs = lively_layer(**switches), maps((2, 3, 7, 12), order)
    found = results_and_gradients(layer, inputs, layer)
    expected = results_and_gradients(layer.forward_by_formula, inputs, layer)
    assert max(map(relative_error, found[:2], expected[:2])) <= 1e-5
    assert max(map(relative_error, found[2:], expected[2:])) <= 1e-5


@pytest.mark.parametrize('order', ORDERS[:2])
@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_gradients_are_those_of_finite_differences(switches, order):
    layer = lively_layer(channels=4, heads=2, **switches).double()
    inputs = [one.requires_grad_() for one in maps((1, 3, 4, 4), order, torch.float64)]
    assert torch.autograd.gradcheck(lambda *leaves: layer(*leaves[:2]), (*inputs, *layer.parameters()),
                                    atol=1e-7, fast_mode=True)


@pytest.mark.parametrize('order', ORDERS)
@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_the_merged_map_and_its_gradients_equal_the_weighed_sum_of_the_formulas_maps(switches, order):
    layer, inputs = lively_layer(**switches), maps((2, 3, 7, 12), order)
    layer.alpha = torch.nn.Parameter(torch.tensor([3.0, 1.0]).log())  # shares 3/4 and 1/4

    def by_formula(camera, lidar):
        shares = layer.alpha.softmax(dim=0)
        return [sum(share * one for share, one in zip(shares, layer.forward_by_formula(camera, lidar)))]
    found, expected = (results_and_gradients(one, inputs, layer) for one in (
        lambda *leaves: [layer.merged(*leaves, layer.alpha.softmax(dim=0))], by_formula))
    assert max(map(relative_error, found, expected)) <= 1e-5


@pytest.fixture
def convolved(monkeypatch):
    """Makes products convolutions, whatever the CPU and however few the channels."""
    if not gemini_convolutions.HAS_CONVOLUTIONS:
        pytest.skip('this build of PyTorch has no oneDNN')
    calls = []
    product = gemini_convolutions.ConvolutionWeight.product
    monkeypatch.setattr(gemini_convolutions.ConvolutionWeight, 'product',
                        lambda *arguments: calls.append(1) or product(*arguments))
    monkeypatch.setattr(gemini_convolutions, 'LEAST_CHANNELS', 1)
    monkeypatch.setattr(gemini_convolutions, 'blas_is_slow', lambda: True)
    yield
    assert calls, 'nothing was convolved'


@pytest.mark.parametrize('order', ['channels last', 'spread'])
@pytest.mark.parametrize('switches', SWITCHES, ids=name_of)
def test_products_by_convolution_equal_the_formulas_too(switches, order, convolved):
    layer, inputs = lively_layer(**switches), maps((2, 3, 7, 12), order)
    shares = torch.tensor([0.75, 0.25])
    for ours, formula in ((layer, layer.forward_by_formula), (
            lambda *leaves: [layer.merged(*leaves, shares)],
            lambda *leaves: [weighted_sum(*layer.forward_by_formula(*leaves), shares)])):
        found, expected = (results_and_gradients(one, inputs, layer) for one in (ours, formula))
        assert max(map(relative_error, found, expected)) <= 1e-5
    with torch.inference_mode():
        assert max(map(relative_error, layer(*inputs), layer.forward_by_formula(*inputs))) <= 1e-5


def test_products_by_convolution_give_the_same_bits_twice(convolved):
    layer, inputs = lively_layer(), maps((3, 7, 12))
    first, second = (results_and_gradients(layer, inputs, layer) for _ in range(2))
    assert all(map(torch.equal, first, second))


def test_gradients_of_the_merged_map_are_those_of_finite_differences():
    layer = lively_layer(channels=4, heads=2).double()
    leaves = [*maps((1, 3, 4, 4), 'channels last', torch.float64), torch.tensor([0.7, 0.3]).double()]
    assert torch.autograd.gradcheck(lambda camera, lidar, shares, *_: layer.merged(camera, lidar, shares), (
        *(leaf.requires_grad_() for leaf in leaves), *layer.parameters()), atol=1e-7, fast_mode=True)


@pytest.mark.parametrize('dtype, tolerance', [(torch.bfloat16, 0.03), (torch.float16, 0.005)], ids=str)
def test_in_half_precision_the_merged_map_is_summed_from_two(dtype, tolerance):
    layer, inputs = lively_layer(channels=16, heads=2), maps((2, 3, 5, 16))
    shares = torch.tensor([0.75, 0.25])
    expected = weighted_sum(*layer(*inputs), shares)
    with torch.autocast('cpu', dtype):
        found = layer.merged(*inputs, shares)
    assert found.dtype == torch.float32 and relative_error(found, expected) <= tolerance


SHAPES = [(0, 12), (1, 12), (2, 12), (23, 12), (1, 1, 1, 12), (2, 0, 3, 12)]


@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_any_number_of_cells_will_do(shape):
    layer, inputs = lively_layer(), maps(shape)
    found = results_and_gradients(layer, inputs, layer)
    assert [one.shape for one in found[:2]] == [shape, shape]
    if inputs[0].numel():
        expected = results_and_gradients(layer.forward_by_formula, inputs, layer)
        assert max(map(relative_error, found, expected)) <= 1e-5
    else:
        assert all(not one.any() for one in found)


@pytest.mark.parametrize('dtype, tolerance', [(torch.bfloat16, 0.03), (torch.float16, 0.005)], ids=str)
@pytest.mark.parametrize('autocast', [True, False])
def test_half_precision_stays_within_its_steps(dtype, tolerance, autocast):
    exact = lively_layer(channels=16, heads=2)
    inputs = maps((2, 3, 5, 16), 'channels first')
    expected = results_and_gradients(exact, inputs, exact)
    if autocast:
        with torch.autocast('cpu', dtype):
            found = results_and_gradients(exact, inputs, exact)
        assert found[0].dtype == torch.float32, 'the residual loses nothing'
    else:
        layer = lively_layer(channels=16, heads=2).to(dtype)
        found = results_and_gradients(layer, [one.to(dtype) for one in inputs], layer)
        assert found[0].dtype == dtype
    assert all(one.isfinite().all() for one in found)
    assert max(map(relative_error, found, expected)) <= tolerance


def test_results_keep_the_layout_and_the_dtype_of_their_map():
    layer = lively_layer()
    camera, lidar = maps((2, 3, 7, 12), 'mixed')
    new_camera, new_lidar = layer(camera, lidar.double())
    assert new_camera.stride() == camera.stride() and new_lidar.stride() == lidar.stride()
    assert new_camera.dtype == torch.float32 and new_lidar.dtype == torch.float64


@pytest.mark.parametrize('order, switches, n_kept', [
    # Of each direction: hidden and relation of the relation network, query, key, value.
    ('channels last', dict(), 10), ('channels last', dict(relation=False), 6),
    ('channels last', dict(directions='lidar_from_camera'), 5), ('channels first', dict(), 0)], ids=str)
def test_the_maps_and_what_products_have_brought_are_kept_for_the_backward_pass(order, switches, n_kept):
    layer, inputs = lively_layer(**switches), [one.requires_grad_() for one in maps((2, 9, 7, 12), order)]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        layer(*inputs)
    large = {one.data_ptr(): one.numel() for one in kept if one.shape[:-1].numel() > 2 * 12}
    for one in inputs:
        assert large.pop(one.data_ptr()) == one.numel()
    assert sum(large.values()) == n_kept * inputs[0].numel()


def test_half_precision_keeps_nothing_but_the_two_maps():
    layer, inputs = lively_layer(), [one.requires_grad_() for one in maps((2, 9, 7, 12))]
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        with torch.autocast('cpu', torch.bfloat16):
            layer(*inputs)
    large = {one.data_ptr() for one in kept if one.shape[:-1].numel() > 2 * 12}
    assert large == {one.data_ptr() for one in inputs}


def test_a_backward_pass_can_be_repeated_and_others_may_come_between():
    layer, pairs = lively_layer(), [maps((9, 12)), [2 * one for one in maps((9, 12))]]
    expected = [results_and_gradients(layer, pair, layer)[2:4] for pair in pairs]
    leaves = [[one.clone().requires_grad_() for one in pair] for pair in pairs]
    totals = []
    for pair in leaves:
        torch.manual_seed(2)
        totals.append(sum((one * torch.randn(one.shape, dtype=torch.float64).to(one.dtype)).sum()
                          for one in layer(*pair)))
    for number in (0, 1, 0):
        found = torch.autograd.grad(totals[number], leaves[number], retain_graph=True)
        assert all(map(torch.equal, found, expected[number]))


def test_the_number_of_threads_may_change_between_forward_and_backward(monkeypatch):
    layer, inputs = lively_layer(), maps((2, 3, 7, 12))
    expected = results_and_gradients(layer, inputs, layer)
    leaves = [one.clone().requires_grad_() for one in inputs]
    torch.manual_seed(2)
    total = sum((one * torch.randn(one.shape, dtype=torch.float64).to(one.dtype)).sum()
                for one in layer(*leaves))
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 3)
    found = torch.autograd.grad(total, [*leaves, *layer.parameters()])
    assert max(map(relative_error, found, expected[2:])) <= 1e-5


def test_one_of_two_results_is_enough_for_a_backward_pass():
    layer, inputs = lively_layer(), maps((9, 12))
    for function, number in ((layer, 0), (layer, 1)):
        found, expected = ([*results_and_gradients(lambda *leaves: [one(*leaves)[number]], inputs, layer)]
                           for one in (function, layer.forward_by_formula))
        assert max(map(relative_error, found[:3], expected[:3])) <= 1e-5


def test_the_same_input_gives_the_same_bits():
    layer, inputs = lively_layer(), maps((3, 7, 12))
    first, second = (results_and_gradients(layer, inputs, layer) for _ in range(2))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize('switches', [dict(), dict(relation=False, directions='camera_from_lidar')],
                         ids=name_of)
def test_it_compiles_in_one_piece(switches):
    layer, inputs = lively_layer(**switches), maps((2, 3, 7, 12), 'channels first')
    relation = layer.relation and layer.relation.weights()
    attentions = layer._readers()

    def enrich(camera, lidar):
        # Not the layer's own forward: the shape checks that tests put around it do not compile.
        readers = {modality: fold_reader(weights, modality=modality, heads=3, relation=relation is not None)
                   for modality, weights in attentions.items()}
        return exchange(camera, lidar, relation, readers, heads=3, dtype=torch.float32)
    compiled = torch.compile(enrich, backend='aot_eager', fullgraph=True)
    found, expected = (results_and_gradients(one, inputs, layer) for one in (compiled, enrich))
    assert max(map(relative_error, found, expected)) <= 1e-6
    assert found[0].stride() == inputs[0].stride()


@pytest.mark.parametrize('merged', [False, True])
@pytest.mark.parametrize('order, keep', [('channels first', False), ('channels last', True)])
def test_the_operator_keeps_the_promises_of_its_registration(merged, order, keep):
    layer = lively_layer(channels=4, heads=2)
    readers = [
        [weight.detach().requires_grad_()
         for weight in fold_reader(weights, modality=modality, heads=2, relation=True)]
        for modality, weights in layer._readers().items()]
    relation = [weight.detach().clone().requires_grad_() for weight in layer.relation.weights()]
    inputs = [one.requires_grad_() for one in maps((1, 2, 3, 4), order)]
    torch.library.opcheck(torch.ops.geminifusion3d.exchange.default,
                          (*inputs, relation, *readers, 2, True, merged, keep))


def test_a_second_derivative_is_refused():
    layer, inputs = lively_layer(), [one.requires_grad_() for one in maps((5, 12))]
    gradient, = torch.autograd.grad(layer(*inputs)[0].sum(), inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError, match='no autograd formula'):
        gradient.sum().backward()


def test_sum_and_difference_of_maps_of_unlike_size_lose_little():
    # The relation of both directions goes over the maps' sum, in which the smaller map is rounded away.
    layer, (camera, lidar) = lively_layer(), maps((40, 12))
    found = layer(1e3 * camera, lidar)
    expected = layer.double().forward_by_formula(1e3 * camera.double(), lidar.double())
    assert max(map(relative_error, found, expected)) <= 1e-5


def test_one_reader_needs_no_weights_of_the_other():
    layer, inputs = lively_layer(relation=False), maps((5, 12))
    weights = layer._readers()[CAMERA]
    reader = {CAMERA: fold_reader(weights, modality=CAMERA, heads=3, relation=False)}
    alone, = exchange(*inputs, None, reader, heads=3, dtype=torch.float32)
    assert torch.allclose(alone, layer(*inputs)[0], atol=1e-6)


@pytest.mark.parametrize('switches, products', [
    # Both directions: 2 for the hidden layer, then W2, key, query, value, Wo Wv, Wo of each.
    (dict(), 2 + 2 * 6), (dict(relation=False), 2 * 5),
    (dict(directions='lidar_from_camera'), 2 + 6)], ids=str)
def test_its_multiply_adds_are_counted(switches, products):
    from torch.utils.flop_counter import FlopCounterMode
    layer, inputs = lively_layer(**switches), [one.requires_grad_() for one in maps((50, 12))]
    with FlopCounterMode(display=False) as counter:
        enriched = layer(*inputs)
        forward = counter.get_flop_counts()['Global'][torch.ops.geminifusion3d.exchange]
        sum(one.sum() for one in enriched).backward()
    assert forward == 2 * 50 * 12 * 12 * products
    # Gradients of cells and of weights; where nothing is kept all but Wo and Wo Wv once more.
    backward = counter.get_flop_counts()['Global'][torch.ops.geminifusion3d.exchange_backward]
    assert backward == 2 * 50 * 12 * 12 * 2 * products
    with FlopCounterMode(display=False) as counter, torch.autocast('cpu', torch.bfloat16):
        sum(one.sum() for one in layer(*inputs)).backward()
    backward = counter.get_flop_counts()['Global'][torch.ops.geminifusion3d.exchange_backward]
    n_readers = 1 if 'directions' in switches else 2
    # In half precision the hidden layer takes four products where it takes two else.
    products = products + 2 if not switches else products
    assert backward == 2 * 50 * 12 * 12 * (3 * products - 2 * n_readers)
