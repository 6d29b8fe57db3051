"""mmdet3d's own CenterPoint, with random weights, against the recipe with the converted weights."""
import copy
from pathlib import Path
from typing import Any

import mmdet3d
import pytest
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from torch import nn

from geminifusion3d.checkpoints.checkpoint_fit import fit_weights
from geminifusion3d.checkpoints.converters import convert_centerpoint
from geminifusion3d.errors import UserError
from geminifusion3d.lidar_bev.spconv_cpu import choose_algorithm
from geminifusion3d.ops.voxel_groups import rank_in_group

HOST_CONFIGS = Path(mmdet3d.__file__).parent / '.mim' / 'configs' / 'centerpoint'
# As its recipes and ours suppress boxes: by circles, and by rotated overlap.
HOST_NAMES = dict(voxel01='centerpoint_voxel01_second_secfpn_head-circlenms_8xb4-cyclic-20e_nus-3d.py',
                  voxel0075='centerpoint_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py',
                  pillar02='centerpoint_pillar02_second_secfpn_8xb4-cyclic-20e_nus-3d.py')
CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
NAME = 'centerpoint_lidar_{}_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
# 24 x 16 cells.
RANGES_M = dict(voxel01=[-9.6, -6.4, -5.0, 9.6, 6.4, 3.0], voxel0075=[-7.2, -4.8, -5.0, 7.2, 4.8, 3.0],
                pillar02=[-9.6, -6.4, -5.0, 9.6, 6.4, 3.0])
VOXELS_XYZ = dict(voxel01=(192, 128, 40), voxel0075=(192, 128, 40), pillar02=(96, 64, 1))


def on_small_grid(node: Any, name: str) -> Any:
    """Returns mmdet3d's model config with every copy of its range and grid replaced."""
    if not isinstance(node, dict):
        return node
    range_m, (n_x, n_y, n_z) = RANGES_M[name], VOXELS_XYZ[name]
    small = dict(point_cloud_range=range_m, pc_range=range_m[:2], grid_size=[n_x, n_y, n_z], max_num=24 * 16,
                 sparse_shape=[n_z + 1, n_y, n_x], output_shape=[n_y, n_x])
    return {key: small.get(key, on_small_grid(value, name)) for key, value in node.items()}


def randomise(model: nn.Module) -> None:
    """Gives every weight and running statistic a value that matters; activations stay moderate."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if 'running_var' in name:
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.dim() == 1 and value.is_floating_point():
            value.add_(0.1 * torch.randn(value.shape, generator=generator))
        elif value.dim() >= 4:
            fan_in = value.numel() / max(value.shape[0], value.shape[-1])
            value.copy_(torch.randn(value.shape, generator=generator) * (1.5 / fan_in) ** 0.5)


def build_host(name: str, *, small: bool) -> nn.Module:
    """Builds mmdet3d's CenterPoint from its own config."""
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(HOST_CONFIGS / HOST_NAMES[name]).model
    model = MODELS.build(ConfigDict(on_small_grid(cfg, name)) if small else cfg)
    randomise(model)
    return model.eval()


def build_ours(name: str, *, small: bool) -> nn.Module:
    """Builds the recipe's model."""
    model = Config.fromfile(CONFIGS / NAME.format(name)).model
    if small:
        model.bev_grid.range_m = RANGES_M[name]
    return MODELS.build(model).eval()


def point_clouds() -> list:
    """Returns two clouds, dense enough for voxels with more points than a voxel keeps."""
    generator = torch.Generator().manual_seed(1)
    low, span = torch.tensor([-10.0, -7.0, -5.5, 0.0, 0.0]), torch.tensor([20.0, 14.0, 9.0, 255.0, 0.5])
    clouds = [low + torch.rand(count, 5, generator=generator) * span for count in (3000, 2000)]
    clouds[0][:40, :3] = torch.tensor([3.05, -2.05, 0.1])
    return clouds


@pytest.mark.mmcv_operators
@pytest.mark.parametrize('name', ['voxel01', 'voxel0075'])
@torch.no_grad()
def test_boxes_equal_those_of_mmdet3d(name):
    host, ours = build_host(name, small=True), build_ours(name, small=True)
    ours.load_state_dict(fit_weights(ours, convert_centerpoint(host.state_dict()), name='host'))
    choose_algorithm(host, is_cuda=False)
    samples = [Det3DDataSample(metainfo=dict(box_type_3d=LiDARInstance3DBoxes)) for _ in range(2)]
    batch = dict(inputs=dict(points=point_clouds()), data_samples=samples)
    predicted = []
    for model in (host, ours):
        data = model.data_preprocessor(copy.deepcopy(batch), training=False)
        predicted.append([sample.pred_instances_3d for sample in model(**data, mode='predict')])
    for theirs, found in zip(*predicted):
        assert len(found.scores_3d) == len(theirs.scores_3d) > 20
        torch.testing.assert_close(found.scores_3d, theirs.scores_3d, rtol=1e-4, atol=1e-5)
        assert torch.equal(found.labels_3d, theirs.labels_3d)
        torch.testing.assert_close(found.bboxes_3d.tensor, theirs.bboxes_3d.tensor, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_maps_of_pillars_equal_those_of_mmdet3d():
    # Not their boxes: with random weights hundreds of scores are as good as equal, and rounding ranks them.
    host, ours = build_host('pillar02', small=True), build_ours('pillar02', small=True)
    ours.load_state_dict(fit_weights(ours, convert_centerpoint(host.state_dict()), name='host'))
    without = copy.deepcopy(ours)
    without.lidar_branch.voxel_encoder.padded_to = None
    groups = ours.lidar_branch.voxelization(point_clouds())
    voxels = torch.zeros(len(groups.centres_m), 20, 5)
    voxels[groups.voxel_of_point, rank_in_group(groups.voxel_of_point)] = groups.points
    counts, coordinates = groups.offsets.diff(), groups.coordinates_bzyx.int()
    assert counts.max() == 20 and counts.min() == 1
    pillars = host.pts_voxel_encoder(voxels, counts, coordinates)
    scattered = host.pts_middle_encoder(pillars, coordinates, 2)
    expected = host.pts_bbox_head(host.pts_neck(host.pts_backbone(scattered)))
    found, unpadded = (model.bbox_head(model.extract_feat(dict(points=point_clouds())))
                       for model in (ours, without))
    for theirs, of_ours, of_points_alone in zip(expected, found, unpadded):
        for name, values in theirs[0].items():
            assert (of_ours[0][name] - values).abs().max() < 1e-5 * values.abs().max()
            # The padding that mmdet3d counts in a pillar's maximum matters.
            assert (of_points_alone[0][name] - values).abs().max() > 1e-3 * values.abs().max()


@pytest.mark.parametrize('name', ['voxel01', 'voxel0075', 'pillar02'])
def test_every_published_weight_finds_its_place(name):
    host = build_host(name, small=False)
    converted = convert_centerpoint(host.state_dict())
    assert len(converted) == len(host.state_dict()) + 1
    assert len(fit_weights(build_ours(name, small=False), converted, name='host')) == len(converted)


def test_deformable_heads_are_refused():
    weights = {'pts_bbox_head.task_heads.0.feature_adapt_cls.conv_offset.weight': torch.zeros(1)}
    with pytest.raises(UserError, match='without "dcn" in its name'):
        convert_centerpoint(weights)
