"""The contestants of the fusion benchmark do what their names say."""
import pytest
import torch

from gemini_lab.benchmark.fusers import (ADDITION, OURS, PRODUCTS, REFERENCE, WHOLE, build_fusers,
                                         inference_call, training_call)
from gemini_lab.benchmark.subcommands.fusion import make_maps, shape_yx
from gemini_lab.cost.model_cost import multiply_adds

CHANNELS, CELLS = 16, 35
CPU = torch.device('cpu')


@pytest.fixture
def fusers():
    """Returns every contestant, those of GeminiFusion with the same random numbers."""
    built = {}
    for name, build in build_fusers(CHANNELS).items():
        torch.manual_seed(0)
        built[name] = build()
    return built


def test_the_reference_is_the_same_function_with_the_same_weights(fusers):
    maps = make_maps(CHANNELS, CELLS, CPU, torch.float32)
    ours, reference = (inference_call(fusers[name], maps)() for name in (OURS, REFERENCE))
    assert ours.shape == (1, CHANNELS, 5, 7)
    assert torch.allclose(ours, reference, atol=1e-5)
    assert not torch.allclose(ours, maps[0] / 2 + maps[1] / 2, atol=1e-2), 'it enriches nothing'


def test_multiply_adds_are_those_of_the_formulas(fusers):
    maps = make_maps(CHANNELS, CELLS, CPU, torch.float32)
    counts = {name: multiply_adds(inference_call(fuser, maps)) for name, fuser in fusers.items()}
    assert counts[PRODUCTS] == 14 * CELLS * CHANNELS ** 2
    assert counts[ADDITION] == 0
    assert counts[OURS] == counts[PRODUCTS]
    # Four projections and two products with all N cells, in both directions.
    assert counts[WHOLE] == 2 * (4 * CELLS * CHANNELS ** 2 + 2 * CELLS ** 2 * CHANNELS)


def test_a_training_step_gives_gradients_of_both_maps_and_every_weight(fusers):
    maps = make_maps(CHANNELS, CELLS, CPU, torch.float32)
    for name, fuser in fusers.items():
        gradients = training_call(fuser, maps)()
        assert len(gradients) == 2 + len(list(fuser.parameters())), name
        assert all(gradient is not None for gradient in gradients), name
        assert all(weight.grad is None for weight in fuser.parameters()), name


def test_maps_are_as_square_as_they_can_be_and_lie_channels_last():
    assert [shape_yx(cells) for cells in (1024, 32400, 35, 13)] == [(32, 32), (180, 180), (5, 7), (1, 13)]
    camera, lidar = make_maps(CHANNELS, CELLS, CPU, torch.bfloat16)
    assert camera.is_contiguous(memory_format=torch.channels_last) and camera.dtype == torch.bfloat16
    assert not torch.equal(camera, lidar)
