"""The sparse encoder on a CPU: equal to a dense convolution, sizes from the grid."""
import pytest
import torch
from spconv.pytorch import SparseConvTensor, SubMConv3d

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.lidar_bev.sparse_encoder import GeminiSparseEncoder
from geminifusion3d.lidar_bev.spconv_cpu import enable_spconv_on_cpu, use_native_algorithm

GRID = BEVGrid(range_m=(-6.0, -4.0, -2.0, 6.0, 4.0, 2.0), cell_m=1.0)
STAGES = dict(in_channels=5, base_channels=8, output_channels=8, block_type='conv_module',
              encoder_channels=((8,), (8, 8), (8,)), encoder_paddings=((1,), (1, 1), (1,)))


def test_a_submanifold_convolution_equals_a_dense_one_at_its_sites_with_gradients():
    enable_spconv_on_cpu()
    torch.manual_seed(0)
    conv = SubMConv3d(2, 3, 3, padding=1, bias=False)
    use_native_algorithm(conv)
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
