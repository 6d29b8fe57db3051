"""mmdet3d's BEVFusion project from a clone of mmdet3d, without its compiled operators.

The project's two operators need CUDA; our splat and our voxels stand in for them. Its pretrained Swin would
be downloaded; the image backbone starts from random weights.
"""
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Iterator

import pytest
from mmengine.config import Config
from mmengine.registry import init_default_scope

from geminifusion3d.lidar_bev.spconv_cpu import enable_spconv_on_cpu
from geminifusion3d.ops.splat import splat
from geminifusion3d.ops.splat_plan import plan_splat
from geminifusion3d.ops.voxel_groups import group_points, keep_first, rank_in_group

VARIABLE = 'GEMINIFUSION3D_MMDET3D'
RECIPE = 'projects/BEVFusion/configs/bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
OPERATORS = 'projects.BEVFusion.bevfusion.ops'


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


@contextmanager
def bevfusion_recipe() -> Iterator[Config]:
    """Yields BEVFusion's recipe, its code importable; skips where nobody names a tree of mmdet3d."""
    if VARIABLE not in os.environ:
        pytest.skip(f'set ${VARIABLE} to a clone of mmdetection3d v1.4.0')
    root = Path(os.environ[VARIABLE]).resolve()
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
        yield cfg
