"""A checkpoint of another model is described branch by branch, and refused above what may differ."""
from collections import OrderedDict

import pytest
import torch
from mmdet3d.models.layers import make_sparse_convmodule
from torch import nn

from geminifusion3d.checkpoints.checkpoint_fit import (STRICT, Tolerance, check_learned_classes,
                                                       compare_weights, fit_weights, plain_config,
                                                       said_of_config, summarise)
from geminifusion3d.errors import UserError


def two_branches() -> nn.Module:
    """Returns a model of 2 x 2 weights."""
    return nn.ModuleDict({'lidar_branch': nn.Linear(2, 3), 'fuser': nn.Linear(3, 3)})


def test_weights_that_learned_other_settings_are_refused_with_both_values() -> None:
    model = nn.Linear(2, 3)
    model.learned_settings = {'bev_grid.cell_m': 0.5, 'lidar_branch.voxel_m': [0.1, 0.1, 0.2]}
    weights = model.state_dict()

    def fit(settings: dict, **more: Tolerance) -> None:
        checkpoint = {'state_dict': weights, 'meta': {'learned_settings': settings}}
        fit_weights(model, checkpoint, name='a.pth', **more)
    fit(model.learned_settings)
    fit({'bev_grid.cell_m': 0.5, 'of a later version': 1})
    with pytest.raises(UserError, match='trained with model.bev_grid.cell_m=1.0, the recipe has 0.5'):
        fit({**model.learned_settings, 'bev_grid.cell_m': 1.0})
    # A training may start from them; checkpoints of others say nothing.
    fit({'bev_grid.cell_m': 1.0}, tolerance=Tolerance())
    fit_weights(model, {'state_dict': weights}, name='a.pth')


def test_another_config_than_was_trained_is_said_where_weights_fit() -> None:
    model = {'type': nn.Linear, 'fuser': {'heads': 4, 'sizes': (1, 2)}, 'init_cfg': {'checkpoint': 'a'}}
    steps = {'Load': {'sweeps_num': 4}, 'Filter': {'range': 1}}
    trained = dict(model=model, test_pipeline=steps)
    checkpoint = {'meta': {'trained_config': plain_config(trained)}}
    assert plain_config(model)['type'] == 'Linear'
    # What only trains, and steps of one of the two, make no difference.
    same = dict(model={**model, 'init_cfg': None}, test_pipeline={'Load': {'sweeps_num': 4}, 'Silence': {}})
    assert said_of_config(checkpoint, same, name='a.pth') == ''
    other = dict(model={**model, 'fuser': {'heads': 8, 'sizes': [1, 2], 'init': 'kitti'}},
                 test_pipeline={'Load': {'sweeps_num': 0}})
    assert said_of_config(checkpoint, other, name='a.pth') == (
        'the recipe is not the one that a.pth was trained with: '
        'model.fuser.heads=8 (trained with 4), '
        'test_pipeline.Load.sweeps_num=0 (trained with 4), model.fuser.init=kitti (trained with absent)')
    assert said_of_config({'meta': {}}, other, name='a.pth') == said_of_config({}, other, name='a.pth') == ''


def test_weights_of_a_wrapped_model_fit() -> None:
    model = nn.Linear(2, 3)
    wrapped = {f'module.{key}': value for key, value in model.state_dict().items()}
    for checkpoint in ({'state_dict': wrapped}, wrapped):
        fitted = fit_weights(model, checkpoint, name='a.pth')
        assert list(fitted) == ['weight', 'bias']
        assert fitted['weight'] is wrapped['module.weight']


def test_every_kind_of_difference_is_found_and_told_by_branch() -> None:
    model = two_branches()
    weights = {'lidar_branch.weight': torch.zeros(3, 5), 'lidar_branch.bias': torch.zeros(3),
               'fuser.weight': torch.zeros(3, 3), 'camera_branch.scale': torch.zeros(1)}
    found = compare_weights(model, weights)
    assert (found.missing, found.unexpected) == (['fuser.bias'], ['camera_branch.scale'])
    assert list(found.misshapen) == ['lidar_branch.weight']
    assert len(found) == 3
    with pytest.raises(UserError) as refusal:
        fit_weights(model, {'state_dict': weights}, name='a.pth')
    assert str(refusal.value).startswith(
        'checkpoint a.pth is of another config: the model expects 4 weights; '
        'fuser: 1 missing (fuser.bias); camera_branch: 1 unexpected (camera_branch.scale); '
        'lidar_branch: 1 of another shape (lidar_branch.weight got (3, 5) expected (3, 2)); pass')
    assert 'missing_branches' not in str(refusal.value)


def test_long_lists_show_their_first_keys() -> None:
    model = nn.ModuleDict({'neck': nn.Sequential(*[nn.Linear(1, 1) for _ in range(4)])})
    with pytest.raises(UserError, match=r'neck: 8 missing \(neck.0.weight, neck.0.bias, neck.1.weight, '
                                        r'\.\.\.\)'):
        fit_weights(model, {}, name='a.pth')


def test_a_branch_may_be_missing_only_if_it_is_named() -> None:
    model = two_branches()
    lidar_only = {key: value for key, value in two_branches().state_dict().items() if 'lidar' in key}
    hint = r'from scratch: --cfg-options load_cfg.missing_branches="\[fuser\]"$'
    with pytest.raises(UserError, match=hint):
        fit_weights(model, lidar_only, name='a.pth')
    fitted = fit_weights(model, lidar_only, name='a.pth', tolerance=Tolerance(missing_branches=('fuser',)))
    assert set(fitted) == set(lidar_only)
    assert summarise(model, fitted, name='a.pth') == (
        '2 of 4 weights are taken from a.pth; as initialised: fuser 2')
    with pytest.raises(UserError, match='got fusser, expected some of the model\'s branches lidar_branch'):
        fit_weights(model, lidar_only, name='a.pth', tolerance=Tolerance(missing_branches=('fusser',)))


def test_branches_of_the_checkpoint_may_stay_unused_if_they_are_named() -> None:
    weights = two_branches().state_dict()
    model = nn.ModuleDict({'lidar_branch': nn.Linear(2, 3)})
    with pytest.raises(UserError, match='fuser: 2 unexpected'):
        fit_weights(model, weights, name='a.pth')
    fitted = fit_weights(model, weights, name='a.pth', tolerance=Tolerance(unused_branches=('fuser',)))
    assert list(fitted) == ['lidar_branch.weight', 'lidar_branch.bias']


@pytest.mark.parametrize('allowed, fits', [(1, False), (2, True)])
def test_a_stated_few_may_differ(allowed: int, fits: bool) -> None:
    model = two_branches()
    weights = {**model.state_dict(), 'fuser.weight': torch.zeros(5, 3), 'fuser.bias': torch.zeros(5)}
    tolerance = Tolerance(max_differing=allowed)
    if not fits:
        with pytest.raises(UserError, match='at most 1 may differ; fuser: 2 of another shape'):
            fit_weights(model, weights, name='a.pth', tolerance=tolerance)
        return
    fitted = fit_weights(model, weights, name='a.pth', tolerance=tolerance)
    assert list(fitted) == ['lidar_branch.weight', 'lidar_branch.bias']


def test_a_checkpoint_that_gives_nothing_is_refused() -> None:
    with pytest.raises(UserError, match='holds no weight of this model'):
        fit_weights(two_branches(), {'head.weight': torch.zeros(1)}, name='a.pth',
                    tolerance=Tolerance(max_differing=99))


def test_tolerance_comes_from_the_config_and_is_strict_by_default() -> None:
    assert Tolerance.from_config(None) == STRICT
    assert Tolerance.from_config(dict(missing_branches=['fuser'], max_differing=3)) == Tolerance(
        missing_branches=('fuser',), max_differing=3)
    with pytest.raises(UserError, match='load_cfg got missing_branch, expected some of missing_branches'):
        Tolerance.from_config(dict(missing_branch=['fuser']))


@pytest.mark.parametrize('key, message', [
    ('pts_middle_encoder.conv_input.0.weight bbox_head.shared_conv.weight', 'convert-checkpoint'),
    ('pts_middle_encoder.conv_input.0.weight pts_bbox_head.task_heads.0.reg.0.bias',
     'convert-checkpoint'),
    ('encoders.lidar.backbone.conv_input.0.weight heads.object.shared_conv.weight', 'MIT BEVFusion'),
    ('backbone_3d.conv_input.0.weight dense_head.shared_conv.0.weight', 'OpenPCDet')])
def test_the_converter_of_a_foreign_checkpoint_is_named(key: str, message: str) -> None:
    weights = {name: torch.zeros(1) for name in key.split()}
    with pytest.raises(UserError, match=message) as refusal:
        fit_weights(two_branches(), {'state_dict': weights}, name='a.pth')
    assert 'missing' not in str(refusal.value)


@pytest.mark.parametrize('stored_by', ['spconv', 'spconv without version', 'mmcv'])
def test_sparse_kernels_load_whoever_stored_them(stored_by: str) -> None:
    model = nn.ModuleDict({'lidar_branch': make_sparse_convmodule(
        5, 16, 3, 'key', norm_cfg=dict(type='BN1d'), conv_type='SubMConv3d')})
    expected = torch.rand(16, 3, 3, 3, 5)
    weights = OrderedDict(model.state_dict())
    weights['lidar_branch.0.weight'] = expected.permute(1, 2, 3, 4, 0) if stored_by == 'mmcv' else expected
    if stored_by == 'spconv':
        weights._metadata = model.state_dict()._metadata
    fitted = fit_weights(model, {'state_dict': weights}, name='a.pth')
    model.load_state_dict(fitted)
    assert torch.equal(model.state_dict()['lidar_branch.0.weight'], expected)


@pytest.mark.parametrize('meta, message', [
    (dict(dataset_meta=dict(classes=('tree', 'car'))), 'w.pth learned .* tree, car, .* has car, tree'),
    (dict(dataset_meta=dict(classes=('car', 'tree'))), ''), (dict(dataset_meta=None), ''), (None, '')])
def test_weights_of_other_classes_are_refused(meta, message) -> None:
    content = {} if meta is None else {'meta': meta}
    if message:
        with pytest.raises(UserError, match=message):
            check_learned_classes(content, ('car', 'tree'), name='w.pth')
    else:
        check_learned_classes(content, ('car', 'tree'), name='w.pth')
