"""mmdet3d's own BEVFusion with our fusers: its config, its data pipeline, one line changed, one step.

    GEMINIFUSION3D_MMDET3D=mmdetection3d python -m pytest -s tests/fusion/test_bevfusion_project.py

The project's two compiled operators need CUDA; here our splat and our voxels stand in for them. Its
pretrained Swin would be downloaded; here its weights are random.
"""
import os
import sys
from copy import deepcopy
from pathlib import Path
from types import ModuleType
from typing import Any, Dict, Iterator

import pytest
import torch
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.lidar_bev.spconv_cpu import choose_algorithm, enable_spconv_on_cpu
from geminifusion3d.ops.hard_voxels import keep_first, rank_in_group
from geminifusion3d.ops.splat import splat
from geminifusion3d.ops.splat_plan import plan_splat
from geminifusion3d.ops.voxel_groups import group_points

VARIABLE = 'GEMINIFUSION3D_MMDET3D'
RECIPE = 'projects/BEVFusion/configs/bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
OPERATORS = 'projects.BEVFusion.bevfusion.ops'
LINE = dict(type='geminifusion3d.GeminiBEVFusionLayer', in_channels=[80, 256], out_channels=256)
FUSERS: Dict[str, Dict[str, Any]] = {
    'BEVFusion': {}, 'gemini': LINE,
    'addition': dict(LINE, fuser=dict(type='GeminiAddFuser', channels=256)),
    'convolution': dict(LINE, fuser=dict(type='GeminiConvFuser', in_channels=[256, 256], out_channels=256))}


def bev_pool(features, xyzb, batch, layers, n_x, n_y):
    """Sum (N, C) features in the cells (x, y, z, sample) of a (B, C, Z, X, Y) map, by our splat."""
    n_x, n_y = int(n_x), int(n_y)
    x, y, z, sample = xyzb.unbind(1)
    cells = ((sample * int(layers) + z) * n_x + x) * n_y + y
    plan = plan_splat(cells.view(-1, 1, 1), batch * int(layers) * n_x * n_y)
    bev = splat(features.unsqueeze(1), features.new_ones(len(features), 1, 1), plan)
    return bev.view(batch, int(layers), n_x, n_y, -1).permute(0, 4, 1, 2, 3).contiguous()


def hard_voxelize(points, voxels, coordinates, counts, voxel_m, range_m, max_points, max_voxels, *_):
    """Fill the given tensors with the voxels of a cloud, by x, y, z, and return how many there are."""
    range_m, voxel_m = ([float(number) for number in one] for one in (range_m, voxel_m))
    n_xyz = tuple(round((high - low) / size) for low, high, size in zip(range_m, range_m[3:], voxel_m))
    groups = keep_first(group_points([points], range_m, voxel_m, n_xyz), max_points, max_voxels)
    voxels[groups.voxel_of_point, rank_in_group(groups.voxel_of_point)] = groups.points
    n_voxels = len(groups.coordinates_bzyx)
    coordinates[:n_voxels] = groups.coordinates_bzyx[:, 1:].flip(1).int()
    counts[:n_voxels] = groups.offsets.diff().int()
    return n_voxels


@pytest.fixture(scope='module')
def recipe(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """BEVFusion's recipe on the synthetic world; skipped where nobody names a tree of mmdet3d."""
    root = Path(os.environ.get(VARIABLE, '')).resolve()
    if VARIABLE not in os.environ:
        pytest.skip(f'set ${VARIABLE} to a clone of mmdetection3d v1.4.0')
    extensions = {f'{OPERATORS}.bev_pool.bev_pool_ext': [], f'{OPERATORS}.voxel.voxel_layer': [
        'dynamic_voxelize', 'hard_voxelize', 'dynamic_point_to_voxel_forward',
        'dynamic_point_to_voxel_backward']}
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root))
        for name, functions in extensions.items():
            extension = ModuleType(name)
            for function in functions:
                setattr(extension, function, hard_voxelize if function == 'hard_voxelize' else None)
            patch.setitem(sys.modules, name, extension)
        cfg = Config.fromfile(root / RECIPE)
        patch.setattr(f'{cfg.custom_imports["imports"][0]}.depth_lss.bev_pool', bev_pool)
        init_default_scope('mmdet3d')
        enable_spconv_on_cpu()
        cfg.model.img_backbone.init_cfg = None
        dataset = cfg.train_dataloader.dataset.dataset
        # Our info files name files from the dataset's root on, mmdet3d's from the sensor's folder on.
        dataset.data_prefix = dict.fromkeys(dataset.data_prefix, '')
        dataset.data_root = str(synthetic_root)
        infos = convert_nuscenes(synthetic_root, 'v1.0-mini', tmp_path_factory.mktemp('infos'),
                                 splits=['mini_train'])
        dataset.ann_file = str(infos['mini_train'])
        yield cfg


# Its assigner calls mmcv's overlaps.
@pytest.mark.mmcv_operators
@pytest.mark.timeout(1800)
@pytest.mark.parametrize('fuser', FUSERS)
def test_one_line_trains_bevfusion_with_our_fuser(recipe: Config, fuser: str) -> None:
    # BEVFusion takes its config apart.
    cfg = deepcopy(recipe)
    if fuser != 'BEVFusion':
        cfg.model.fusion_layer = FUSERS[fuser]
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    choose_algorithm(model, is_cuda=False)
    wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    batch = pseudo_collate([DATASETS.build(cfg.train_dataloader.dataset.dataset)[0]])
    inputs = model.data_preprocessor(batch, training=True)

    def loss():
        # The same dropout and paths twice.
        torch.manual_seed(1)
        # The view transform moves the points in place.
        copied = dict(inputs['inputs'], points=[cloud.clone() for cloud in inputs['inputs']['points']])
        return model.parse_losses(model.loss(copied, inputs['data_samples']))[0]
    before = loss()
    wrapper.backward(before)
    gradients = {name: p.grad for name, p in model.fusion_layer.named_parameters()}
    wrapper.step()
    after = loss()
    assert all(one is not None and one.isfinite().all() for one in gradients.values())
    assert 0 < after < before
    moved = sum(bool(one.any()) for one in gradients.values())
    print(f'\n{fuser}: loss {before:.3f}, after one step {after:.3f}; '
          f'{moved} of {len(gradients)} parameters of the fusion layer have a gradient other than 0')
