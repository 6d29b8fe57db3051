"""Any sensor of any sample may be missing: finite, trained, and nobody else's business.

Every fuser, and every camera and LiDAR branch, that a recipe in the tree uses is looked at once.
"""
import itertools
from pathlib import Path

import pytest
import torch
from mmdet3d.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from tiny_detector import make_batch

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
NUM_POINTS = (300, 200, 250, 150)
ALL, NONE, SOME = [True] * 6, [False] * 6, [False, True, True, False, True, False]
# Complete; two cameras and no LiDAR; the LiDAR alone; nothing at all.
CAMERAS = (ALL, SOME, NONE, NONE)
HAS_LIDAR = (True, False, True, False)


def parts_of(cfg: Config) -> set:
    """Names what a recipe does with its sensors, sizes left aside."""
    parts = {name: cfg.model.get(name) or {} for name in ('fuser', 'camera_branch', 'lidar_branch')}
    kinds = {name: [part.get('type'), part.get('encoder', {}).get('type'), repr(part.get('voxelization'))]
             for name, part in parts.items()}
    options = {key: value for key, value in parts['fuser'].items()
               if 'channels' not in key and key != 'heads'}
    return {repr(options), repr([bool(part) for part in parts.values()]), *map(repr, kinds.items())}


def recipes() -> list:
    """Returns recipes until every part has been met, the small ones first."""
    met, chosen = set(), []
    paths = [path for path in CONFIGS.rglob('*.py') if not {'_base_', 'kitti'} & set(path.parts)]
    for path in sorted(paths, key=lambda path: (path.parent.name not in ('compare', 'demo'), path)):
        cfg = Config.fromfile(path)
        # A segmentation has cells of its own, which a small grid does not cover; see test_map_segmentation.
        if cfg.model.get('seg_head'):
            continue
        if parts_of(cfg) - met:
            chosen.append(pytest.param(cfg, id=path.stem))
        met |= parts_of(cfg)
    return chosen


@pytest.fixture(params=recipes(), scope='module')
def model(request) -> torch.nn.Module:
    """Each recipe's model on 24 x 16 of its cells."""
    init_default_scope('mmdet3d')
    config = request.param.model
    cell_m, range_m = config.bev_grid.cell_m, config.bev_grid.range_m
    grid = dict(cell_m=cell_m, range_m=[-12 * cell_m, -8 * cell_m, range_m[2],
                                        12 * cell_m, 8 * cell_m, range_m[5]])
    torch.manual_seed(0)
    built = MODELS.build({**config, 'bev_grid': grid})
    for name, parameter in built.named_parameters():
        if name.endswith('stand_in'):
            torch.nn.init.normal_(parameter)
    return built


def made(model: torch.nn.Module, cameras: tuple, has_lidar: tuple, training: bool = False) -> dict:
    """A batch after the preprocessor; the same samples for every choice of what is missing."""
    batch = make_batch(NUM_POINTS)
    for index, (present, is_there) in enumerate(zip(cameras, has_lidar)):
        batch['data_samples'][index].set_metainfo(dict(camera_present=present))
        batch['inputs']['img'][index][~torch.tensor(present)] = 0
        if not is_there:
            batch['inputs']['points'][index] = batch['inputs']['points'][index][:0]
    return model.data_preprocessor(batch, training=training)


def features(model: torch.nn.Module, data: dict) -> torch.Tensor:
    """Returns the maps that the head sees, (B, C, Y, X)."""
    with torch.no_grad():
        maps = model.eval().extract_feat(data['inputs'], [one.metainfo for one in data['data_samples']])
    return maps[0]


def test_recipes_with_both_sensors_are_found():
    assert sum('gemini' in repr(param.values[0].model.get('fuser')).lower() for param in recipes()) >= 1


@pytest.mark.parametrize('cameras, has_lidar', [
    (CAMERAS, HAS_LIDAR), ((NONE,) * 4, (True,) * 4), ((ALL,) * 4, (False,) * 4),
    ((NONE,) * 4, (False,) * 4)], ids=['mixed', 'no cameras', 'no LiDAR', 'nothing'])
def test_a_training_step_is_finite(model, cameras, has_lidar):
    data = made(model.train(), cameras, has_lidar, training=True)
    losses = model(**data, mode='loss')
    total = sum(value for name, value in losses.items() if 'loss' in name)
    model.zero_grad()
    total.backward()
    assert all(torch.isfinite(value).all() for value in losses.values())
    gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert [name for name, gradient in gradients.items() if not gradient.isfinite().all()] == []
    # Distributed training waits for every parameter.
    missed = {name for name, p in model.named_parameters() if p.requires_grad} - set(gradients)
    assert missed == set()


def test_a_prediction_comes_back_whatever_is_missing(model):
    data = made(model.eval(), CAMERAS, HAS_LIDAR)
    with torch.no_grad():
        results = model(**data, mode='predict')
    assert len(results) == 4
    for result in results:
        boxes = result.pred_instances_3d
        assert boxes.bboxes_3d.tensor[:, :7].isfinite().all() and boxes.scores_3d.isfinite().all()


def test_a_sample_does_not_notice_what_another_lacks(model):
    mixed = features(model, made(model, CAMERAS, HAS_LIDAR))
    assert mixed.isfinite().all()
    for index in range(4):
        cameras, has_lidar = [ALL] * 4, [True] * 4
        cameras[index], has_lidar[index] = CAMERAS[index], HAS_LIDAR[index]
        others_complete = features(model, made(model, tuple(cameras), tuple(has_lidar)))
        torch.testing.assert_close(others_complete[index], mixed[index], rtol=1e-4, atol=1e-5)


def test_a_missing_sensor_is_noticed_and_its_pixels_are_not(model):
    complete = features(model, made(model, (ALL,) * 4, (True,) * 4))
    data = made(model, CAMERAS, HAS_LIDAR)
    lacking = features(model, data)
    torch.testing.assert_close(lacking[0], complete[0], rtol=1e-4, atol=1e-5)
    for index in (1, 2, 3):
        reads_missing = (model.camera_branch is not None and not all(CAMERAS[index])
                         or model.modalities['use_lidar'] and not HAS_LIDAR[index])
        # An untrained network's answers are faint: any difference beyond rounding counts.
        assert reads_missing == bool((lacking[index] - complete[index]).abs().max() > 1e-6)
    if model.camera_branch is not None:
        images = data['inputs']['imgs'].clone()
        for index, present in enumerate(CAMERAS):
            images[index][~torch.tensor(present)] += 50
        data['inputs']['imgs'] = images
        torch.testing.assert_close(features(model, data), lacking, rtol=1e-4, atol=1e-5)


def test_the_stand_ins_learn_from_samples_without_the_sensor(model):
    for align, cameras, has_lidar in ((model.camera_align, NONE, True), (model.lidar_align, ALL, False)):
        if align is None:
            continue
        data = made(model.train(), (ALL, cameras, ALL, ALL), (True, has_lidar, True, True), training=True)
        losses = model(**data, mode='loss')
        model.zero_grad()
        sum(value for name, value in losses.items() if 'loss' in name).backward()
        # A fuser that knows who is absent leaves the stand-in out.
        is_left_out = getattr(model.fuser, 'reads_presence', False)
        assert (align.stand_in.grad.abs().max() > 0) != is_left_out


def test_every_subset_of_cameras_is_finite():
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(CONFIGS / 'demo' / 'geminifusion3d_tiny_lidar-cam_synthetic-mini.py')
    torch.manual_seed(0)
    grid = dict(cell_m=1.0, range_m=[-12, -8, -3.0, 12, 8, 3.0])
    model = MODELS.build({**cfg.model, 'bev_grid': grid})
    subsets = list(itertools.product([True, False], repeat=6))
    seen = set()
    for start in range(0, len(subsets), 4):
        maps = features(model, made(model, tuple(map(list, subsets[start:start + 4])), (True,) * 4))
        assert maps.isfinite().all()
        seen |= {one.numpy().tobytes() for one in maps}
    assert len(seen) == 64
