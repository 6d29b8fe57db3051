"""Weights with constants folded in: the same function of a cell as the weights of the modules."""
import pytest
import torch
from gemini_cases import lively_layer

from geminifusion3d.ops.gemini_weights import (CAMERA, LIDAR, fold_reader, split_relation, weigh_results, with_residual)


def test_sum_and_difference_serve_both_directions():
    torch.manual_seed(0)
    first, second = torch.randn(2, 5, 5, dtype=torch.double)
    camera, lidar = torch.randn(2, 5, dtype=torch.double)
    of_difference, of_sum = split_relation(first, second)
    common, half = of_sum @ (camera + lidar), of_difference @ (lidar - camera)
    assert torch.allclose(common + half, first @ camera + second @ lidar)
    assert torch.allclose(common - half, first @ lidar + second @ camera)


@pytest.mark.parametrize('relation', [True, False])
@pytest.mark.parametrize('modality', [CAMERA, LIDAR])
def test_folded_weights_give_the_keys_and_values_of_the_formula(modality, relation):
    weights = lively_layer(channels=6, heads=2).double()._readers()[modality]
    torch.manual_seed(1)
    camera, lidar, score = torch.rand(3, 6, dtype=torch.double)
    own, other = (camera, lidar) if modality == CAMERA else (lidar, camera)
    folded = fold_reader(weights, modality=modality, heads=2, relation=relation)
    cross = own * score if relation else other
    gap = own * (1 - score) if relation else lidar - camera
    key_difference = weights.key @ (own + weights.noise_k) - weights.key @ cross
    assert torch.allclose(folded.key @ gap + folded.key_bias, key_difference)
    query = weights.query @ own + weights.query_bias
    assert torch.allclose(folded.query @ own + folded.query_bias, -query / 3 ** 0.5)
    value_self = weights.value @ (own + weights.noise_v) + weights.value_bias
    value_cross = weights.value @ other + weights.value_bias
    assert torch.allclose(folded.value @ (lidar - camera) + folded.value_bias, value_cross - value_self)
    assert torch.allclose(folded.own @ own + folded.out_bias, weights.out @ value_self + weights.out_bias)


def test_weights_are_folded_in_float32_at_least():
    weights = lively_layer(channels=6, heads=2).to(torch.bfloat16)._readers()[CAMERA]
    with torch.autocast('cpu', torch.bfloat16):
        folded = fold_reader(weights, modality=CAMERA, heads=2, relation=True)
    assert {weight.dtype for weight in folded} == {torch.float32}
    assert torch.allclose(folded.own, weights.out.float() @ weights.value.float(), atol=1e-6)


def test_the_residual_comes_with_the_own_product_and_shares_weigh_what_each_direction_adds():
    readers = {modality: with_residual(fold_reader(weights, modality=modality, heads=2, relation=True))
               for modality, weights in lively_layer(channels=6, heads=2).double()._readers().items()}
    torch.manual_seed(1)
    own, weighed = torch.rand(2, 6, dtype=torch.double)
    plain = lively_layer(channels=6, heads=2).double()._readers()[LIDAR]
    assert torch.allclose(readers[LIDAR].own @ own, own + plain.out @ (plain.value @ own))
    shares = torch.tensor([0.75, 0.25], dtype=torch.double)
    for modality, share in ((CAMERA, 0.75), (LIDAR, 0.25)):
        before, after = readers[modality], weigh_results(readers, shares)[modality]
        results = [one.own @ own + one.out @ weighed + one.out_bias for one in (before, after)]
        assert torch.allclose(results[1], share * results[0])
        # What comes before the result stays as it is.
        assert all(map(torch.equal, before[:6], after[:6]))
