"""mmdet3d's own BEVFusion with our fusers: its config, its data pipeline, one line changed, one step.

    GEMINIFUSION3D_MMDET3D=mmdetection3d python -m pytest -s tests/fusion/test_bevfusion_project.py

The project's two compiled operators need CUDA; here our splat and our voxels stand in for them. Its
pretrained Swin would be downloaded; here its weights are random.
"""
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
import torch
from bevfusion_project import bevfusion_recipe
from mmdet3d.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.lidar_bev.spconv_cpu import choose_algorithm

LINE = dict(type='geminifusion3d.GeminiBEVFusionLayer', in_channels=[80, 256], out_channels=256)
FUSERS: Dict[str, Dict[str, Any]] = {
    'BEVFusion': {}, 'gemini': LINE,
    'addition': dict(LINE, fuser=dict(type='GeminiAddFuser', channels=256)),
    'convolution': dict(LINE, fuser=dict(type='GeminiConvFuser', in_channels=[256, 256], out_channels=256))}


@pytest.fixture(scope='module')
def recipe(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """BEVFusion's recipe on the synthetic world; skipped where nobody names a tree of mmdet3d."""
    with bevfusion_recipe() as cfg:
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
