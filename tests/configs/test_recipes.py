"""Every recipe in the tree loads, agrees with itself and, on a small grid, trains and predicts."""
import ast
import inspect
import json
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS, TRANSFORMS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from tiny_detector import make_batch

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
SECTIONS = {*inspect.signature(Runner.__init__).parameters, 'activation_checkpointing', 'frozen_modules'}
RECIPES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
# Those of KITTI have mmdet3d's detector: tests/kitti builds and steps them.
ON_GRIDS = [path for path in RECIPES if path.parent.name != 'kitti']


def small(cfg: Config) -> dict:
    """Returns the recipe's model on 24 x 16 cells of its own size."""
    cell_m, range_m = cfg.model.bev_grid.cell_m, cfg.model.bev_grid.range_m
    half_x_m, half_y_m = 12 * cell_m, 8 * cell_m
    grid = dict(cell_m=cell_m, range_m=[-half_x_m, -half_y_m, range_m[2],
                                        half_x_m, half_y_m, range_m[5]])
    return {**cfg.model, 'bev_grid': grid}


def innermost(dataset: dict) -> dict:
    """Returns the dataset inside its wrappers."""
    return innermost(dataset.dataset) if 'dataset' in dataset else dataset


@pytest.fixture(params=ON_GRIDS, ids=lambda path: path.stem)
def cfg(request):
    """Returns each recipe in turn."""
    loaded = Config.fromfile(request.param)
    init_default_scope('mmdet3d')
    return loaded


def test_every_recipe_says_what_is_different_and_why():
    assert len(RECIPES) >= 5
    assert [path.stem for path in RECIPES
            if '\n\nWhy: ' not in (ast.get_docstring(ast.parse(path.read_text())) or '')] == []


def test_no_recipe_is_the_twin_of_another():
    read = {}
    for path in RECIPES:
        sections = {key: value for key, value in Config.fromfile(path).to_dict().items() if key in SECTIONS}
        # Where a first stage's weights lie makes no other recipe.
        read.setdefault(json.dumps({**sections, 'load_from': None}, sort_keys=True), []).append(path.stem)
    assert [names for names in read.values() if len(names) > 1] == []


def test_training_and_testing_read_the_same_points_and_the_same_grid(cfg):
    pipelines = [innermost(cfg[loader].dataset).pipeline
                 for loader in ('train_dataloader', 'test_dataloader')]
    loaders = [[inner for step in pipeline for inner in step.get('steps', [step])
                if inner.type == 'GeminiLoadPoints'] for pipeline in pipelines]
    # Points that are not read in testing may teach the depth of a camera-only model.
    assert loaders[1] == (loaders[0] if cfg.test_evaluator.meta.use_lidar else [])
    for step in sum(pipelines, []):
        if 'point_cloud_range' in step:
            assert step.point_cloud_range == cfg.model.bev_grid.range_m
    assert cfg.val_dataloader in (None, cfg.test_dataloader)
    for pipeline in pipelines:
        for step in pipeline:
            TRANSFORMS.build(step)


def test_pictures_are_decoded_at_no_smaller_size_than_they_are_shown(cfg):
    for loader in ('train_dataloader', 'test_dataloader'):
        steps = [inner for step in innermost(cfg[loader].dataset).pipeline
                 for inner in step.get('steps', [step])]
        reduce = max([step.get('reduce', 1) for step in steps if step.type == 'GeminiLoadImages'], default=1)
        for step in steps:
            # A tenth more is what the full-size recipes ask for at most.
            assert reduce * max(step.get('resize_range', [0])) <= 1.1 + 1e-9


def test_dataset_metric_and_model_agree_on_sensors_and_info_file(cfg):
    meta, dataset = cfg.test_evaluator.meta, cfg.test_dataloader.dataset
    model = MODELS.build(small(cfg))
    assert model.modalities == {name: meta[name] for name in ('use_camera', 'use_lidar')}
    assert {name: dataset.modality[name] for name in model.modalities} == model.modalities
    assert cfg.test_evaluator.ann_file == dataset.ann_file
    assert cfg.test_evaluator.data_root == dataset.data_root


def test_a_training_step_and_a_prediction_run_on_a_small_grid(cfg):
    torch.manual_seed(0)
    model = MODELS.build(small(cfg)).train()
    data = model.data_preprocessor(make_batch(), training=True)
    losses = model(**data, mode='loss')
    total = sum(value for name, value in losses.items() if 'loss' in name)
    total.backward()
    assert total.isfinite()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    with torch.no_grad():
        data = model.eval().data_preprocessor(make_batch(), training=False)
        assert len(model(**data, mode='predict')) == 2


def test_an_unknown_key_of_a_part_is_refused(cfg):
    model = small(cfg)
    model['bbox_head'] = {**model['bbox_head'], 'voxel_size': [0.1, 0.1]}
    with pytest.raises(TypeError, match='voxel_size'):
        MODELS.build(model)
