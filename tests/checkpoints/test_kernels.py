"""A network on a transposed map is the network with turned kernels; grids are not square here."""
from collections import OrderedDict
from typing import Dict

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from xyz_encoder import Voxels, encode_xyz

from geminifusion3d.checkpoints.key_rules import mmcv_to_spconv2, spconv2_layout, yx_from_xy, zyx_from_xyz
from geminifusion3d.errors import UserError
from geminifusion3d.geometry.bev_grid import BEVGrid

N_X, N_Y = 12, 8
NORM = dict(type='BN', eps=1e-3, momentum=0.01)
GRID = BEVGrid((-6.0, -4.0, -1.0, 6.0, 4.0, 1.0), 1.0)
ENCODER = dict(type='GeminiSparseEncoder', in_channels=5, bev_grid=GRID, voxel_m=(0.5, 0.5, 0.2),
               base_channels=4, output_channels=6, encoder_channels=((4, 8), (8, )),
               encoder_paddings=((0, (0, 1, 1)), (0, )), block_type='basicblock')


def randomise(module: nn.Module) -> nn.Module:
    """Gives every weight and running statistic a value that matters."""
    generator = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5 if 'var' in name
                        else torch.randn(value.shape, generator=generator) * 0.3)
    return module.eval()


@torch.no_grad()
def test_dense_backbone_and_neck_on_the_transposed_map():
    init_default_scope('mmdet3d')
    layers = [dict(type='SECOND', in_channels=6, out_channels=[8, 10], layer_nums=[1, 2],
                   layer_strides=[1, 2], norm_cfg=NORM),
              dict(type='SECONDFPN', in_channels=[8, 10], out_channels=[7, 7], upsample_strides=[1, 2],
                   norm_cfg=NORM, use_conv_for_no_stride=True)]
    theirs = randomise(nn.Sequential(*map(MODELS.build, layers)))
    ours = nn.Sequential(*map(MODELS.build, layers)).eval()
    ours.load_state_dict({key: yx_from_xy(value) for key, value in theirs.state_dict().items()})
    map_xy = torch.rand(2, 6, N_X, N_Y)
    expected, = theirs(map_xy)
    found, = ours(map_xy.transpose(2, 3))
    torch.testing.assert_close(found, expected.transpose(2, 3))
    assert not torch.allclose(theirs(map_xy.transpose(2, 3))[0], expected.transpose(2, 3), atol=1e-2)


def xyz_weights(encoder: nn.Module) -> Dict[str, Tensor]:
    """Returns random weights of the encoder's xyz twin: same names, kernels over x, y, z."""
    return {key: value.permute(0, 3, 2, 1, 4) if value.dim() == 5 else value
            for key, value in randomise(encoder).state_dict().items()}


def random_voxels(encoder: nn.Module) -> Tensor:
    """Returns (M, 4) coordinates b, x, y, z, each voxel once, at the corners too."""
    n_x, n_y, n_z = encoder.n_voxels_xyz
    drawn = torch.stack([torch.randint(size, (400, )) for size in (2, n_x, n_y, n_z)], dim=1)
    corners = torch.tensor([[0, 0, 0, 0], [1, n_x - 1, n_y - 1, n_z - 1], [1, n_x - 1, 0, 0]])
    return torch.cat([drawn, corners]).unique(dim=0)


@pytest.mark.parametrize('stored_by', ['spconv', 'mmcv'])
@torch.no_grad()
def test_sparse_encoder_equals_a_dense_one_in_xyz_order(stored_by):
    torch.manual_seed(0)
    encoder = MODELS.build(ENCODER)
    weights = xyz_weights(encoder)
    coordinates = random_voxels(encoder)
    features = torch.rand(len(coordinates), 5)
    n_x, n_y, n_z = encoder.n_voxels_xyz
    dense = torch.zeros(2, n_x, n_y, n_z + 1, 5)
    dense[tuple(coordinates.T)] = features
    is_active = torch.zeros(2, n_x, n_y, n_z + 1, dtype=torch.bool)
    is_active[tuple(coordinates.T)] = True
    expected = encode_xyz(weights, Voxels(dense.permute(0, 4, 1, 2, 3), is_active.unsqueeze(1)),
                          paddings_xyz=[(1, 1, 0)], blocks=1)

    if stored_by == 'mmcv':
        weights = {key: value.permute(1, 2, 3, 4, 0) if value.dim() == 5 else value
                   for key, value in weights.items()}
    converted = OrderedDict((key, zyx_from_xyz(value)) for key, value in weights.items())
    converted._metadata = encoder.state_dict()._metadata
    encoder.load_state_dict(converted)
    found = encoder(features, coordinates[:, [0, 3, 2, 1]].int(), 2)
    assert found.shape == (2, encoder.out_channels, N_Y, N_X)
    torch.testing.assert_close(found, expected.transpose(2, 3), rtol=1e-4, atol=1e-4)
    assert expected.std() > 0.1


def test_layouts_are_told_apart_by_shape():
    stored = torch.rand(16, 3, 1, 2, 5)
    assert spconv2_layout(stored) is stored
    by_mmcv = stored.permute(1, 2, 3, 4, 0)
    assert torch.equal(spconv2_layout(by_mmcv), stored)
    assert torch.equal(mmcv_to_spconv2(by_mmcv), stored)
    assert torch.equal(zyx_from_xyz(stored)[7, 1, 0, 2], stored[7, 2, 0, 1])


@pytest.mark.parametrize('shape', [(3, 3, 3, 3, 16), (16, 5, 5, 5, 4)])
def test_a_kernel_of_unclear_layout_is_refused(shape):
    with pytest.raises(UserError, match='neither clearly'):
        spconv2_layout(torch.zeros(shape))


def test_other_weights_pass_unchanged():
    vector, kernel_1d = torch.rand(3), torch.rand(4, 5, 1)
    for change in (yx_from_xy, zyx_from_xyz, spconv2_layout):
        assert change(vector) is vector
        assert change(kernel_1d) is kernel_1d
