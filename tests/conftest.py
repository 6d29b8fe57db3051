"""Datasets that many tests read: the real keyframe, and a small synthetic world."""
import os
import runpy
from pathlib import Path

import mmcv._ext
import pytest
from commands import Gemini3d
from real_data import real_data

import geminifusion3d
from gemini_lab.synthetic.generate import Request, generate
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes

geminifusion3d.register()

REPO = Path(__file__).resolve().parents[1]
MMCV_STAND_IN = runpy.run_path(str(REPO / 'tools/mmcv_without_operators.py'))
KEYFRAME_VARIABLE = 'GEMINIFUSION3D_KEYFRAME'


@pytest.fixture(autouse=True)
def no_mmcv_operators(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuses mmcv's operators, which a set-up does not compile, to tests that do not compare with them."""
    is_compiled = not mmcv._ext.__file__.endswith('.py')
    if request.node.get_closest_marker('mmcv_operators'):
        if not is_compiled:
            pytest.skip('mmcv has no compiled operators')
    elif is_compiled:
        for name in vars(mmcv._ext):
            if not name.startswith('__'):
                monkeypatch.setattr(mmcv._ext, name, MMCV_STAND_IN['__getattr__'](name))


@pytest.fixture(scope='session')
def keyframe_root() -> Path:
    """The real nuScenes keyframe as a dataset; tests that ask for it skip where it is absent."""
    root = Path(os.environ.get(KEYFRAME_VARIABLE,
                               REPO.parent / 'shared' / 'nuscenes_keyframe'))
    if not (root / 'v1.0-mini' / 'sample.json').is_file():
        pytest.skip(f'no real nuScenes keyframe at {root}: put it there or set '
                    f'${KEYFRAME_VARIABLE} to its folder')
    return root


@pytest.fixture(scope='session')
def two_keyframes_root() -> Path:
    """Two real keyframes, of a scene of `train` and one of `val`; absent, the test is skipped."""
    return real_data('nuscenes_two_keyframes')


@pytest.fixture(scope='session')
def synthetic_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic v1.0-mini: a scene of mini_train, one of mini_val, two samples each.

    Read only: everybody shares it.
    """
    root = tmp_path_factory.mktemp('synthetic')
    generate(Request(out=root, version='v1.0-mini', scenes=2, samples_per_scene=2, workers=1))
    return root


@pytest.fixture(scope='session')
def converted_root(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic world with info files; its sensor files are links."""
    root = tmp_path_factory.mktemp('converted')
    for entry in synthetic_root.iterdir():
        (root / entry.name).symlink_to(entry)
    convert_nuscenes(root, 'v1.0-mini', root, workers=1)
    return root


@pytest.fixture
def gemini3d(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Gemini3d:
    """Runs a command line of gemini3d in this process."""
    return Gemini3d(monkeypatch, capsys)
