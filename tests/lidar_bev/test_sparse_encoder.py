"""The sparse encoder on a CPU: equal to a dense convolution, sizes from the grid."""
from contextlib import nullcontext

import pytest
import torch
from mmdet3d.models.middle_encoders import SparseEncoder
from spconv import constants
from spconv.core import ConvAlgo
from spconv.pytorch import SparseConvTensor, SubMConv3d

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.sparse_encoder import GeminiSparseEncoder
from geminifusion3d.lidar_bev.spconv_cpu import choose_algorithm, enable_spconv_on_cpu
from geminifusion3d.lidar_bev.voxel_encoders import VoxelNorm

GRID = BEVGrid(range_m=(-6.0, -4.0, -2.0, 6.0, 4.0, 2.0), cell_m=1.0)
STAGES = dict(in_channels=5, base_channels=8, output_channels=8, block_type='conv_module',
              encoder_channels=((8,), (8, 8), (8,)), encoder_paddings=((1,), (1, 1), (1,)))


def test_a_submanifold_convolution_equals_a_dense_one_at_its_sites_with_gradients():
    enable_spconv_on_cpu()
    torch.manual_seed(0)
    conv = SubMConv3d(2, 3, 3, padding=1, bias=False)
    choose_algorithm(conv, is_cuda=False)
    sites = torch.unique(torch.randint(0, 4, (30, 3)), dim=0)
    features = torch.randn(len(sites), 2, requires_grad=True)
    batch = torch.zeros(len(sites), 1, dtype=torch.int32)
    sparse = conv(SparseConvTensor(features, torch.cat([batch, sites.int()], 1), [4, 4, 4], 1)).features
    volume = torch.zeros(1, 2, 4, 4, 4)
    volume[0, :, sites[:, 0], sites[:, 1], sites[:, 2]] = features.detach().T
    volume.requires_grad_()
    weight = conv.weight.detach().permute(0, 4, 1, 2, 3)  # out, z, y, x, in -> out, in, z, y, x
    dense = torch.nn.functional.conv3d(volume, weight, padding=1)
    dense = dense[0, :, sites[:, 0], sites[:, 1], sites[:, 2]].T
    assert torch.allclose(sparse, dense, atol=1e-5)
    sparse.square().sum().backward()
    dense.square().sum().backward()
    expected = volume.grad[0, :, sites[:, 0], sites[:, 1], sites[:, 2]].T
    assert torch.allclose(features.grad, expected, atol=1e-4)


def test_its_output_has_the_grids_rows_and_columns_and_the_channels_it_says():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES).eval()
    # Heights: 16 + 1 -> 9 -> 5 by the two strided stages, then (5 - 3) // 2 + 1 = 2 in the last one.
    assert encoder.out_channels == 8 * 2
    with torch.no_grad():
        bev = encoder(torch.randn(2, 5), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]]), 1)
    assert bev.shape == (1, 16, 8, 12)


def test_voxels_that_do_not_lead_to_the_cells_are_refused_when_built():
    with pytest.raises(ValueError, match=r'cells of 0.8 m, but bev_grid.cell_m is 1 m'):
        GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.2, 0.2, 0.25), **STAGES)


@pytest.mark.parametrize('voxel_m, cell_m, half_m', [((0.075, 0.075, 0.2), 0.6, 54.0),
                                                     ((0.1, 0.1, 0.2), 0.8, 51.2)])
def test_the_published_sizes_have_mmdet3ds_weights_one_to_one(voxel_m, cell_m, half_m):
    stages = dict(
        in_channels=5, base_channels=16, output_channels=128, block_type='basicblock',
        encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (0, 1, 1)), (0, 0)))
    grid = BEVGrid(range_m=(-half_m, -half_m, -5.0, half_m, half_m, 3.0), cell_m=cell_m)
    ours = GeminiSparseEncoder(bev_grid=grid, voxel_m=voxel_m, **stages)
    n = round(2 * half_m / voxel_m[0])
    theirs = SparseEncoder(sparse_shape=[41, n, n], **stages)
    assert ours.sparse_shape == theirs.sparse_shape and ours.out_channels == 256
    theirs.load_state_dict(ours.state_dict())


def test_one_voxel_trains():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES)
    features, place = torch.randn(1, 5), torch.tensor([[0, 7, 15, 23]])
    trained = encoder.train()(features, place, 1)
    trained.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())
    assert torch.isfinite(trained).all()


def test_the_momentum_of_the_running_statistics_is_the_one_asked_for():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), norm_momentum=0.3, **STAGES)
    norms = [layer for layer in encoder.modules() if isinstance(layer, torch.nn.BatchNorm1d)]
    assert len(norms) == 6 and all(isinstance(norm, VoxelNorm) and norm.momentum == 0.3 for norm in norms)
    features, places = torch.full((2, 5), 3.0), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]])
    inputs = []
    norms[0].register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    encoder.train()(features, places, 1)
    # Running means start at 0.
    torch.testing.assert_close(norms[0].running_mean, 0.3 * inputs[0].mean(0))


def test_each_device_gets_its_algorithm_and_cuda_its_own_back():
    layers = torch.nn.Sequential(SubMConv3d(2, 3, 3),
                                 SubMConv3d(3, 2, 3, algo=ConvAlgo.MaskSplitImplicitGemm))
    original = [layer.algo for layer in layers]
    assert original[0] != ConvAlgo.Native != original[1] != original[0]
    for _ in range(2):
        choose_algorithm(layers, is_cuda=False)
        assert [layer.algo for layer in layers] == [ConvAlgo.Native] * 2
    choose_algorithm(layers, is_cuda=True)
    assert [layer.algo for layer in layers] == original


@pytest.mark.parametrize('is_allowed', [True, False])
def test_tf32_is_allowed_where_it_is_for_dense_convolutions(is_allowed, monkeypatch):
    monkeypatch.setattr(constants, 'SPCONV_ALLOW_TF32', not is_allowed)
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', is_allowed)
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES).eval()
    with torch.no_grad():
        encoder(torch.randn(2, 5), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]]), 1)
    assert constants.SPCONV_ALLOW_TF32 == is_allowed


def test_no_autocast_reaches_spconv():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES).eval()
    seen = []
    encoder.conv_input.register_forward_pre_hook(lambda _, given: seen.append(
        (given[0].features.dtype, torch.is_autocast_enabled('cpu'))))
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        encoder(torch.randn(2, 5).bfloat16(), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]]), 1)
    # mmdet3d switches autocast off on CUDA alone, so that on a CPU this is our own doing.
    assert seen == [(torch.float32, False)]


@pytest.mark.parametrize('dtype, is_cuda, reaches', [
    (torch.float16, True, True), (torch.bfloat16, True, False), (torch.float16, False, False)])
def test_float16_alone_reaches_spconv_on_cuda_where_its_loss_is_scaled(dtype, is_cuda, reaches, monkeypatch):
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES)
    seen = []
    monkeypatch.setattr(torch, 'autocast',
                        lambda device, dtype, enabled: seen.append(enabled) or nullcontext())
    monkeypatch.setattr(torch, 'is_autocast_enabled', lambda device: True)
    monkeypatch.setattr(torch, 'get_autocast_dtype', lambda device: dtype)
    monkeypatch.setattr(torch.Tensor, 'is_cuda', property(lambda tensor: is_cuda), raising=False)
    monkeypatch.setattr(SparseEncoder.forward, '__wrapped__', lambda self, features, *_: (
        seen.append(features.dtype) or torch.zeros(1, 1, 1, 1)))
    encoder(torch.randn(2, 5, dtype=dtype), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]]), 1)
    assert seen == [reaches, torch.float32]


def test_it_computes_in_float32_under_autocast():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES).eval()
    features, places = torch.randn(2, 5), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]])
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        under_autocast = encoder(features, places, 1)
    assert under_autocast.dtype == torch.float32
    assert torch.equal(under_autocast, encoder(features, places, 1))
