"""Pipelines to compare ours with: the BEVFusion project's, or one made of the host's own transforms.

BEVFusion's transforms are read from a checkout that the user names; the installed mmdet3d has none of them.
"""
import importlib.util
from pathlib import Path
from typing import Any, Dict, List, Sequence

from mmdet3d.registry import TRANSFORMS
from mmengine.config import Config

from geminifusion3d.errors import UserError

PROJECT = Path('projects/BEVFusion')
RECIPE = PROJECT / 'configs/bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-20e_nus-3d.py'
# Files of transforms, each with one that it registers; the package itself imports a compiled operator.
TRANSFORM_FILES = {PROJECT / 'bevfusion/loading.py': 'BEVLoadMultiViewImageFromFiles',
                   PROJECT / 'bevfusion/transforms_3d.py': 'ImageAug3D'}
Steps = List[Dict[str, Any]]


def bevfusion_pipelines(root: Path) -> Dict[str, Steps]:
    """Returns the pipelines of BEVFusion's camera-LiDAR recipe, as its config has them.

    Args:
        root: a checkout of mmdetection3d; the files of the transforms are run.

    Raises:
        UserError: if the checkout lacks the project.
    """
    missing = [str(file) for file in (RECIPE, *TRANSFORM_FILES) if not (root / file).is_file()]
    if missing:
        raise UserError(f'{root} has no {", ".join(missing)}; name a checkout of mmdetection3d')
    for file, registered in TRANSFORM_FILES.items():
        if TRANSFORMS.get(registered) is None:
            spec = importlib.util.spec_from_file_location(f'bevfusion_{file.stem}', root / file)
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
    cfg = Config.fromfile(root / RECIPE, import_custom_modules=False)
    return {'training': list(cfg.train_pipeline), 'test': list(cfg.test_pipeline)}


def host_pipelines(ours: Dict[str, Steps]) -> Dict[str, Steps]:
    """Returns pipelines of the host's transforms that come as close to ours as they can.

    They resize without crop, neither flip nor turn pictures, and flip the scene in one direction.

    Args:
        ours: our pipelines; sweeps, sizes and ranges are theirs.
    """
    augment, scene, load = (TRANSFORMS.build(_step(ours['training'], kind)) for kind in (
        'GeminiAugmentImages', 'GeminiAugmentScene', 'GeminiLoadPoints'))
    in_range = [step for step in ours['training'] if step['type'].endswith('RangeFilter')]
    points = dict(coord_type='LIDAR', load_dim=5, use_dim=5)
    resize = dict(type='Resize', scale=augment.final_hw[::-1], keep_ratio=False)
    loading = [
        dict(type='LoadMultiViewImageFromFiles', to_float32=True, color_type='color', num_views=6),
        dict(type='LoadPointsFromFile', **points),
        dict(type='LoadPointsFromMultiSweeps', sweeps_num=load.sweeps_num, load_dim=5, use_dim=5,
             pad_empty_sweeps=True, remove_close=True)]
    views = dict(type='MultiViewWrapper', transforms=[resize])
    moving = [
        dict(type='GlobalRotScaleTrans', rot_range=scene.rotate_range_rad,
             scale_ratio_range=scene.scale_range, translation_std=scene.translate_std_m),
        # The other direction would flip the pictures too, which fails on more than one.
        dict(type='RandomFlip3D', flip_ratio_bev_horizontal=0.0,
             flip_ratio_bev_vertical=scene.flip_x_prob, sync_2d=False)]
    point_range = dict(type='PointsRangeFilter', point_cloud_range=in_range[0]['point_cloud_range'])
    box_range = dict(in_range[1], type='ObjectRangeFilter')
    boxes = dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)
    pack = [_step(ours[mode], 'Pack3DDetInputs') for mode in ('training', 'test')]
    return {'training': [*loading, boxes, views, *moving, point_range, box_range, pack[0]],
            'test': [*loading, views, point_range, pack[1]]}


def _step(steps: Sequence[Dict[str, Any]], kind: str) -> Dict[str, Any]:
    found = [step for step in steps if step['type'] == kind]
    if not found:
        raise UserError(f'the pipeline {", ".join(step["type"] for step in steps)} has no {kind}; compare a '
                        'recipe of camera and LiDAR')
    return found[0]
