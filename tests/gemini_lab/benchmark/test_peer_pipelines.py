"""A checkout's own config and transforms are taken; the host's pipelines do what ours do."""
from pathlib import Path

import pytest
from mmdet3d.registry import TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from gemini_lab.benchmark.peer_pipelines import (PROJECT, RECIPE, TRANSFORM_FILES,
                                                 bevfusion_pipelines, host_pipelines)
from geminifusion3d.errors import UserError

REPO = Path(__file__).resolve().parents[3]
CONFIG = 'configs/geminifusion3d_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py'
TRANSFORM = '''
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
@TRANSFORMS.register_module()
class {name}(BaseTransform):
    def transform(self, results):
        return {{**results, '{name}': True}}
'''


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose project needs a compiled operator, but not for its transforms."""
    for file, name in TRANSFORM_FILES.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(TRANSFORM.format(name=name))
    (tmp_path / PROJECT / 'bevfusion/__init__.py').write_text('import operator_that_is_not_built\n')
    (tmp_path / RECIPE).parent.mkdir(parents=True)
    (tmp_path / RECIPE).write_text(
        "custom_imports = dict(imports=['projects.BEVFusion.bevfusion'], allow_failed_imports=False)\n"
        "train_pipeline = [dict(type='BEVLoadMultiViewImageFromFiles'), dict(type='ImageAug3D')]\n"
        "test_pipeline = [dict(type='ImageAug3D')]\n")
    init_default_scope('mmdet3d')
    yield tmp_path
    for name in TRANSFORM_FILES.values():
        TRANSFORMS.module_dict.pop(name, None)


def test_the_checkouts_own_pipelines_and_transforms_are_taken(checkout):
    for _ in range(2):
        pipelines = bevfusion_pipelines(checkout)
        assert [step['type'] for step in pipelines['training']] == list(TRANSFORM_FILES.values())
    assert [step['type'] for step in pipelines['test']] == ['ImageAug3D']
    assert TRANSFORMS.build(pipelines['test'][0])({'img': 1}) == {'img': 1, 'ImageAug3D': True}


def test_a_folder_that_is_no_checkout_is_refused_by_what_it_lacks(checkout):
    (checkout / RECIPE).unlink()
    with pytest.raises(UserError, match='has no projects/BEVFusion/configs/.*name a checkout'):
        bevfusion_pipelines(checkout)


def test_the_hosts_pipelines_read_as_many_sweeps_and_give_pictures_of_the_same_size():
    cfg = Config.fromfile(REPO / CONFIG)
    pipelines = host_pipelines({'training': cfg.train_pipeline, 'test': cfg.test_pipeline})
    init_default_scope('mmdet3d')
    for mode, steps in pipelines.items():
        by_kind = {step['type']: step for step in steps}
        assert by_kind['LoadPointsFromMultiSweeps']['sweeps_num'] == 9
        assert by_kind['MultiViewWrapper']['transforms'][0]['scale'] == (704, 256)
        assert by_kind['PointsRangeFilter']['point_cloud_range'] == cfg.bev_grid.range_m
        assert not any(kind.startswith('Gemini') for kind in by_kind)
        assert ('GlobalRotScaleTrans' in by_kind) == (mode == 'training')
        for step in steps:
            TRANSFORMS.build(step)


def test_a_recipe_without_cameras_has_no_counterpart():
    with pytest.raises(UserError, match='GeminiLoadPoints has no GeminiAugmentImages'):
        host_pipelines({'training': [dict(type='GeminiLoadPoints')], 'test': []})
