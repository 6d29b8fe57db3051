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
SECTIONS = {*inspect.signature(Runner.__init__).parameters, 'activation_checkpointing', 'frozen_modules',
            'load_cfg'}
RECIPES = sorted(path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
# Those of KITTI have mmdet3d's detector: tests/kitti builds and steps them.
ON_GRIDS = [path for path in RECIPES if path.parent.name != 'kitti']


def small(cfg: Config) -> dict:
    """Returns the recipe's model on 24 x 16 cells of its own size."""
    cell_m, range_m = cfg.model.bev_grid.cell_m, cfg.model.bev_grid.range_m
    half_x_m, half_y_m = 12 * cell_m, 8 * cell_m
    grid = dict(cell_m=cell_m, range_m=[-half_x_m, -half_y_m, range_m[2],
                                        half_x_m, half_y_m, range_m[5]])
    model = {**cfg.model, 'bev_grid': grid}
    if cfg.model.get('seg_head'):
        model['seg_head'] = {**cfg.model.seg_head, 'cell_grid': {**grid, 'cell_m': cell_m / 2}}
    return model


def metrics(cfg: Config) -> list:
    """Returns what scores the recipe."""
    return cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]


def with_cells(batch: dict, model: torch.nn.Module) -> dict:
    """Gives the samples labels of cells where the model learns them."""
    for sample in batch['data_samples'] if model.seg_head is not None else ():
        head = model.seg_head
        shape = len(head.classes), *head.cell_grid.shape_yx
        sample.gt_cells = torch.randint(0, 2, shape, dtype=torch.uint8)
        sample.set_metainfo(dict(cell_grid=head.cell_grid, cell_classes=head.classes))
    return batch


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
                if inner.type in ('GeminiLoadPoints', 'GeminiLoadRadar')] for pipeline in pipelines]
    # Points that are not read in testing may teach the depth of a camera-only model.
    used = {loader: bool(cfg.model.get(branch)) for loader, branch in (
        ('GeminiLoadPoints', 'lidar_branch'), ('GeminiLoadRadar', 'radar_branch'))}
    assert loaders[1] == [loader for loader in loaders[0] if used[loader.type]]
    assert {loader.type for loader in loaders[1]} == {name for name, is_used in used.items() if is_used}
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
    dataset = cfg.test_dataloader.dataset
    model = MODELS.build(small(cfg))
    assert {name: dataset.modality.get(name, False) for name in model.modalities} == model.modalities
    kinds = [metric.type for metric in metrics(cfg)]
    assert kinds == ['GeminiNuScenesMetric'] * (model.bbox_head is not None) + [
        'GeminiSegmentationMetric'] * (model.seg_head is not None)
    for metric in metrics(cfg)[:kinds.count('GeminiNuScenesMetric')]:
        assert model.modalities == {name: metric.meta[name] for name in model.modalities}
        assert (metric.ann_file, metric.data_root) == (dataset.ann_file, dataset.data_root)


def test_labels_of_cells_are_those_that_the_head_expects(cfg):
    head = cfg.model.get('seg_head') or {}
    for loader in ('train_dataloader', 'test_dataloader'):
        steps = {step.type: step for step in innermost(cfg[loader].dataset).pipeline}
        labels = steps.get('GeminiLoadMapCells', {})
        assert [labels.get(key) for key in ('cell_grid', 'classes')] == [
            head.get(key) for key in ('cell_grid', 'classes')]
        if head:
            assert 'GeminiPackInputs' in steps
            order = list(steps)
            assert labels.data_root == innermost(cfg[loader].dataset).data_root
            assert order.index('GeminiLoadMapCells') > order.index('GeminiAugmentScene') \
                if loader == 'train_dataloader' else 'GeminiAugmentScene' not in steps


def test_a_training_step_and_a_prediction_run_on_a_small_grid(cfg):
    torch.manual_seed(0)
    model = MODELS.build(small(cfg)).train()
    data = model.data_preprocessor(with_cells(make_batch(), model), training=True)
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
    head = 'bbox_head' if model['bbox_head'] else 'seg_head'
    model[head] = {**model[head], 'voxel_size': [0.1, 0.1]}
    with pytest.raises(TypeError, match='voxel_size'):
        MODELS.build(model)


def test_exchanging_the_fuser_changes_nothing_else():
    def content(name):
        cfg = Config.fromfile(CONFIGS / name).to_dict()
        return {key: value for key, value in cfg.items() if key in SECTIONS - {'load_from', 'load_cfg'}}

    base = content('bevfusion_lidar-cam_voxel0075_second_secfpn_8xb4-cyclic-6e_nus-3d.py')
    recipes = sorted((CONFIGS / 'fuser_exchange').glob('*.py'))
    assert len(recipes) == 5
    for path in recipes:
        cfg = content(path)
        for part in ('camera_align', 'fuser'):
            cfg['model'][part] = base['model'][part]
        assert cfg == base


def test_recipes_for_published_weights_load_points_as_mmdet3d_and_no_others(cfg, request):
    name = request.node.callspec.id
    step, = [inner for step in innermost(cfg.train_dataloader.dataset).pipeline
             for inner in step.get('steps', [step]) if inner.type == 'GeminiLoadPoints'] or [{}]
    is_published = name.startswith(('bevfusion_', 'centerpoint_'))
    assert (step.get('convention') == 'mmdet3d') == is_published
