"""MVX-Net's parts: layers by hand, official weights, mmcv's voxels, recipes that train and predict."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from tiny_kitti import write_tiny_kitti
from torch import nn

from geminifusion3d.checkpoints.converters import convert_mvxnet
from geminifusion3d.errors import UserError
from geminifusion3d.kitti import GeminiDynamicVFE, GeminiMVXPreprocessor, GeminiPointFusion
from geminifusion3d.kitti.infos import convert_kitti

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'kitti'
RECIPES = sorted(CONFIGS.glob('*.py'))
RANGE_M, VOXEL_M = [0, -4, -2, 8, 4, 2], [1, 2, 4]
VOXELS = dict(voxel=True, voxel_type='dynamic', voxel_layer=dict(
    max_num_points=-1, point_cloud_range=RANGE_M, voxel_size=VOXEL_M, max_voxels=(-1, -1)))
FUSION = dict(img_channels=6, pts_channels=16, mid_channels=16, out_channels=16, img_levels=[0, 1],
              align_corners=False, activate_out=True, fuse_out=False)
META = dict(lidar2img=np.array([[160.0, -200, 0, 0], [48, 0, -200, 0], [1, 0, 0, 0], [0, 0, 0, 1]], 'f4'),
            input_shape=(96, 320), img_shape=(96, 320), pad_shape=(96, 320), batch_input_shape=(96, 320),
            box_type_3d=LiDARInstance3DBoxes)


def clouds(*sizes):
    """Returns clouds inside the range."""
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(size, 4, generator=generator) * torch.tensor([8, 8, 4, 1]) * 0.999
            - torch.tensor([0, 4, 2, 0]) for size in sizes]


def levels(batch):
    """Returns two levels of an image neck."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(batch, 6, 24 // 2 ** i, 80 // 2 ** i, generator=generator) for i in range(2)]


def encoder(every=True, kind='GeminiPointFusion'):
    """Returns a voxel encoder of two layers."""
    init_default_scope('mmdet3d')
    torch.manual_seed(0)
    return GeminiDynamicVFE(in_channels=4, feat_channels=[16, 16], voxel_size=VOXEL_M,
                            point_cloud_range=RANGE_M, fusion_layer=dict(FUSION, type=kind),
                            fuse_every_layer=every)


class OfficialFusion(nn.Module):
    """The official layer by its names, from the library's attention."""

    def __init__(self, channels=16):
        super().__init__()
        self.cross_attn_0_to_1 = nn.MultiheadAttention(channels, 8)
        self.cross_attn_1_to_0 = nn.MultiheadAttention(channels, 8)
        mlp = nn.ModuleDict(dict(fc1=nn.Linear(2 * channels, channels), fc2=nn.Linear(channels, channels)))
        self.relation_judger = nn.ModuleList([mlp])
        self.k_noise, self.v_noise = nn.Embedding(2, channels), nn.Embedding(2, channels)
        self.alpha = nn.Parameter(torch.tensor([0.3, 1.2]))

    def enrich(self, own, other, row, attention):
        """Returns the own feature with what it reads of the other."""
        mlp = self.relation_judger[0]
        score = mlp['fc2'](nn.functional.gelu(mlp['fc1'](torch.cat([own, other], -1)))).softmax(-1)
        keys = torch.stack([own + self.k_noise.weight[row], own * score])
        values = torch.stack([own + self.v_noise.weight[row], other])
        return own + attention(own[None], keys, values)[0][0]

    def forward(self, image, points):
        """Returns the fused features."""
        image, points = (self.enrich(image, points, 0, self.cross_attn_0_to_1),
                         self.enrich(points, image, 1, self.cross_attn_1_to_0))
        share = self.alpha.softmax(0)
        return (share[0] * image + share[1] * points).relu()


def test_official_weights_give_the_official_layer():
    layer, official = GeminiPointFusion(**FUSION).eval(), OfficialFusion()
    prefix = 'pts_voxel_encoder.fusion_layer.0.'
    converted = convert_mvxnet({
        **{prefix + key: value for key, value in official.state_dict().items()},
        **{prefix + key: value for key, value in layer.state_dict().items() if not key.startswith('fuser.')}})
    layer.load_state_dict({key.removeprefix(prefix): value for key, value in converted.items()})
    points, features = clouds(30, 20), torch.randn(50, 16, requires_grad=True)
    ours = layer(levels(2), points, features, [META, META])
    image = layer.img_transform(layer.obtain_mlvl_feats(levels(2), points, [META, META]))
    theirs = official(image, layer.pts_transform(features))
    assert torch.allclose(ours, theirs, atol=1e-5)
    gradients = [
        torch.autograd.grad(
            one.square().sum(),
            features,
            retain_graph=True)[0] for one in (
            ours, theirs)]
    assert torch.allclose(*gradients, atol=1e-4)


def test_an_unknown_weight_is_named():
    with pytest.raises(UserError, match='roi_head.x'):
        convert_mvxnet({'roi_head.x': torch.zeros(1)})


def test_a_voxel_encoder_that_fuses_once_is_mmdet3ds_by_names_and_shapes():
    keys = set(encoder(every=False, kind='PointFusion').state_dict())
    assert {'vfe_layers.1.0.weight', 'vfe_layers.0.1.running_var', 'fusion_layer.img_transform.0.weight',
            'fusion_layer.lateral_convs.1.conv.weight', 'fusion_layer.pts_transform.1.bias'} <= keys
    assert all(key.startswith(('fusion_layer.0.', 'fusion_layer.1.', 'vfe_layers'))
               for key in encoder().state_dict())


def test_points_alone_are_encoded_as_by_hand():
    layer = GeminiDynamicVFE(
        in_channels=4,
        feat_channels=[2],
        voxel_size=VOXEL_M,
        point_cloud_range=RANGE_M).eval()
    with torch.no_grad():
        layer.vfe_layers[0][0].weight.copy_(torch.tensor([[0., 0, 0, 1, 0, 0, 0, 0, 0, 0],
                                                          [0., 0, 0, 0, 1, 0, 0, 10, 0, 0]]))
    # Two points in the voxel x 2..3, y -2..0, one outside the range.
    cloud = torch.tensor([[2.25, -1.0, 0.0, 0.5], [2.75, -1.0, 0.0, 0.25], [9.0, 0.0, 0.0, 1.0]])
    features, coors = layer(cloud, torch.zeros(3, 4), [cloud])
    assert coors.tolist() == [[0, 0, 1, 2]]
    # Intensity 0.5; offset from the mean 0.25 and from the middle 0.25: 0.25 + 10 * 0.25.
    assert features[0].tolist() == pytest.approx([0.5, 2.75], rel=2e-3)


def test_samples_do_not_see_each_other_and_points_outside_count_for_nothing():
    layer, both = encoder().eval(), clouds(40, 25)
    together, coors = layer(torch.cat(both), None, both, levels(2), [META, META])
    outside = torch.cat([both[0], torch.tensor([[50.0, 0, 0, 1]])])
    alone, _ = layer(outside, None, [outside], [one[:1] for one in levels(2)], [META])
    assert torch.allclose(together[coors[:, 0] == 0], alone, atol=1e-5)


def test_fusion_behind_every_layer_gives_all_weights_a_gradient():
    layer = encoder().train()
    voxels, _ = layer(None, None, clouds(40, 25), levels(2), [META, META])
    voxels.square().sum().backward()
    assert all(weight.grad is not None for weight in layer.parameters())


def test_voxels_that_do_not_fill_the_range_are_refused():
    with pytest.raises(ValueError, match='expected whole numbers'):
        GeminiDynamicVFE(in_channels=4, feat_channels=[2], voxel_size=[3, 2, 4], point_cloud_range=RANGE_M)


def test_voxel_coordinates_by_hand_and_an_empty_cloud():
    one = torch.tensor([[7.5, -3.9, 1.0, 0], [8.5, 0, 0, 0]])
    assert GeminiMVXPreprocessor(**VOXELS).voxelize([one, one[:1]], None)['coors'].tolist() == [
        [0, 0, 0, 7], [0, -1, -1, -1], [1, 0, 0, 7]]
    with pytest.raises(ValueError, match='sample 1 of the batch has no point'):
        GeminiMVXPreprocessor(**VOXELS).voxelize([one, one[:0]], None)


@pytest.mark.mmcv_operators
def test_voxel_coordinates_are_those_of_mmcv():
    from mmdet3d.models import Det3DDataPreprocessor
    points = [cloud * 1.2 for cloud in clouds(500, 300)]
    theirs = Det3DDataPreprocessor(**VOXELS).voxelize(points, None)['coors']
    ours = GeminiMVXPreprocessor(**VOXELS).voxelize(points, None)['coors']
    inside = (theirs[:, 1:] >= 0).all(1)
    assert torch.equal(ours[inside], theirs[inside]) and (ours[~inside, 1:] == -1).all()


@pytest.fixture(scope='module')
def kitti(tmp_path_factory):
    """Returns a tiny dataset with its info files."""
    root = write_tiny_kitti(tmp_path_factory.mktemp('kitti'))
    convert_kitti(root)
    return root


@pytest.mark.parametrize('path', [path for path in RECIPES if '_tiny_' in path.stem],
                         ids=lambda path: path.stem)
def test_small_recipes_train_and_predict(kitti, path):
    cfg = Config.fromfile(path)
    init_default_scope('mmdet3d')
    split = dict(data_root=str(kitti), data_prefix=dict(pts='training/velodyne', img='training/image_2'))
    model = MODELS.build(cfg.model).train()
    for loader, mode in ((cfg.train_dataloader, 'loss'), (cfg.test_dataloader, 'predict')):
        dataset = DATASETS.build(dict(loader.dataset, **split, ann_file='geminifusion3d_kitti_train.pkl'))
        model.train(mode == 'loss')
        batch = model.data_preprocessor(pseudo_collate([dataset[0], dataset[1]]), mode == 'loss')
        result = model(**batch, mode=mode)
        if mode == 'loss':
            total = sum(sum(losses) for losses in result.values())
            total.backward()
            assert total.isfinite()
            assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)
    assert len(result) == 2 and result[0].pred_instances_3d.bboxes_3d.tensor.shape[1] == 7


ADDED = {'mvxnet': 0, 'mvxnet-every-layer': 762560, 'geminifusion_mvxnet': 990532 - 384}


@pytest.mark.parametrize('name', ADDED)
def test_full_recipes_have_the_papers_parameters(name):
    # The official ones are 990,532 more than MVX-Net's; 384 of them are biases of keys, which cancel.
    def parameters(name):
        cfg = Config.fromfile(CONFIGS / f'{name}_fpn_dv_second_secfpn_8xb2-80e_kitti-3d-3class.py')
        assert cfg.model.type == 'DynamicMVXFasterRCNN' and cfg.train_cfg.max_epochs == 40
        return sum(weight.numel() for weight in MODELS.build(cfg.model.pts_voxel_encoder).parameters())
    assert parameters(name) - parameters('mvxnet') == ADDED[name]
