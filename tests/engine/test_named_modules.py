"""Names and patterns find the modules they mean and no others."""
import pytest
from torch import nn

from geminifusion3d.engine.named_modules import find_modules
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
