"""The sparse encoder on a CPU: equal to a dense convolution, sizes from the grid."""
import pytest
import torch
from mmdet3d.models.middle_encoders import SparseEncoder
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


@pytest.mark.parametrize('voxel_m, cell_m, half_m', [((0.075, 0.075, 0.2), 0.6, 54.0),
                                                     ((0.1, 0.1, 0.2), 0.8, 51.2)])
def test_the_published_sizes_have_the_hosts_weights_one_to_one(voxel_m, cell_m, half_m):
    stages = dict(
        in_channels=5, base_channels=16, output_channels=128, block_type='basicblock',
        encoder_channels=((16, 16, 32), (32, 32, 64), (64, 64, 128), (128, 128)),
        encoder_paddings=((0, 0, 1), (0, 0, 1), (0, 0, (0, 1, 1)), (0, 0)))
    grid = BEVGrid(range_m=(-half_m, -half_m, -5.0, half_m, half_m, 3.0), cell_m=cell_m)
    ours = GeminiSparseEncoder(bev_grid=grid, voxel_m=voxel_m, **stages)
    n = round(2 * half_m / voxel_m[0])
    host = SparseEncoder(sparse_shape=[41, n, n], **stages)
    assert ours.sparse_shape == host.sparse_shape and ours.out_channels == 256
    host.load_state_dict(ours.state_dict())


def test_one_voxel_trains():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES)
    features, place = torch.randn(1, 5), torch.tensor([[0, 7, 15, 23]])
    trained = encoder.train()(features, place, 1)
    trained.sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in encoder.parameters())
    assert torch.isfinite(trained).all()


def test_it_computes_in_float32_under_autocast():
    encoder = GeminiSparseEncoder(bev_grid=GRID, voxel_m=(0.25, 0.25, 0.25), **STAGES).eval()
    features, places = torch.randn(2, 5), torch.tensor([[0, 0, 0, 0], [0, 15, 31, 47]])
    with torch.no_grad(), torch.autocast('cpu', dtype=torch.bfloat16):
        under_autocast = encoder(features, places, 1)
    assert under_autocast.dtype == torch.float32
    assert torch.equal(under_autocast, encoder(features, places, 1))
