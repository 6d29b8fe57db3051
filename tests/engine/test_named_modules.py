"""Names and patterns find the modules they mean and no others."""
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from toy_training import in_processes, run_train, write_config

from geminifusion3d.engine import read_checkpoint
from geminifusion3d.engine.named_modules import find_modules, freeze_modules
from geminifusion3d.errors import UserError


def make_model() -> nn.Module:
    """A model of two levels."""
    return nn.ModuleDict(dict(camera=nn.Sequential(nn.Sequential(nn.ReLU()), nn.ReLU()), lidar=nn.ReLU()))


@pytest.mark.parametrize('patterns, found', [
    (['lidar'], ['lidar']), (['camera.*'], ['camera.0', 'camera.1']), (['*'], ['camera', 'lidar']),
    (['camera.0.0', 'l*'], ['camera.0.0', 'lidar'])])
def test_a_star_stands_for_one_level(patterns: list, found: list) -> None:
    model = make_model()
    named = find_modules(model, patterns)
    assert list(named) == found
    assert all(module is model.get_submodule(name) for name, module in named.items())


@pytest.mark.parametrize('pattern, match', [('lidr', 'such as lidar'), ('radar.*', 'such as camera, lidar')])
def test_a_name_of_nothing_is_refused(pattern: str, match: str) -> None:
    with pytest.raises(UserError, match=match):
        find_modules(make_model(), [pattern])


FROZEN = '''
optim_wrapper['type'] = 'GeminiOptimWrapper'
frozen_modules = ['layers.0', 'layers.1']
'''


def test_a_frozen_part_computes_as_in_a_test_whatever_the_mode() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.9), nn.Linear(3, 1))
    # Six weights and three biases of the linear layer, three scales and three shifts of the norm.
    assert freeze_modules(model, ['0', '1', '2']) == 6 + 3 + 3 + 3
    model.train()
    rows = torch.randn(5, 2)
    expected = model[3](nn.functional.linear(rows, model[0].weight, model[0].bias) / (1 + 1e-5) ** 0.5)
    torch.testing.assert_close(model(rows), expected)
    assert model[3].training and not model[1].training
    assert [weight.requires_grad for weight in model.parameters()] == [False] * 4 + [True] * 2


def test_an_unknown_part_is_named_with_those_that_exist() -> None:
    model = nn.ModuleDict(dict(lidar_branch=nn.Linear(1, 1)))
    with pytest.raises(UserError, match="no module 'lidar_brunch': expected a name such as lidar_branch"):
        freeze_modules(model, ['lidar_brunch'])


def test_a_training_leaves_frozen_parts_alone_on_one_process_and_on_two(tmp_path: Path) -> None:
    config = write_config(tmp_path, extra=FROZEN)
    plain = tmp_path / 'plain'
    plain.mkdir()
    run_train(write_config(plain), plain / 'run', '--cfg-options', 'train_cfg.max_epochs=1')
    start = plain / 'run/epoch_1.pth'
    option = f'load_from={start}'
    run_train(config, tmp_path / 'one', '--cfg-options', option)
    assert in_processes(2, partial(run_train, config, tmp_path / 'two', '--launcher', 'pytorch',
                                   '--cfg-options', option)) == [0, 0]
    before = read_checkpoint(start)['state_dict']
    for run in ('one', 'two'):
        after = read_checkpoint(tmp_path / run / 'epoch_4.pth')['state_dict']
        changed = {key.split('.')[1] for key, value in before.items() if not torch.equal(value, after[key])}
        assert changed == {'3'}
