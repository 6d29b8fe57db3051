"""The ways to use the plugin: installed, dropped into an mmdetection3d tree, both at once."""
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import mmdet3d
import pytest

PLUGIN = Path(__file__).resolve().parents[1] / 'projects' / 'GeminiFusion3D'
DEMO = 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
WITHOUT_INSTALLED = """
import sys
import sysconfig
sys.path[:] = [entry for entry in sys.path if 'geminifusion3d' not in entry.lower()]
sys.meta_path[:] = [finder for finder in sys.meta_path
                    if '__editable__' not in getattr(finder, '__module__', '')]
"""
INSTALLED = f'import sys; sys.path.insert(0, {str(PLUGIN)!r})\n'
LOAD_DEMO = f"""
from mmengine.config import Config
Config.fromfile('projects/GeminiFusion3D/{DEMO}')
from mmdet3d.registry import MODELS
print(MODELS.get('GeminiFusion3D').__module__)
"""
DROPPED_NAME = 'projects.GeminiFusion3D.geminifusion3d'


def run(code: str, cwd: Path) -> str:
    """Return what a Python of its own prints, or what went wrong there."""
    ended = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], cwd=cwd, text=True,
                           capture_output=True, env={'PATH': '', 'OMP_NUM_THREADS': '1'})
    return ended.stdout.strip() if ended.returncode == 0 else ended.stderr.strip().splitlines()[-1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return an mmdetection3d tree with the plugin in its projects."""
    (tmp_path / 'projects').mkdir()
    (tmp_path / 'projects' / 'GeminiFusion3D').symlink_to(PLUGIN)
    return tmp_path


@pytest.fixture
def tree_of_a_copy(tmp_path: Path) -> Path:
    """Return an mmdetection3d tree with a copy of the plugin that holds nothing but its root."""
    copy = tmp_path / 'projects' / 'GeminiFusion3D' / 'geminifusion3d'
    copy.mkdir(parents=True)
    (copy / '__init__.py').write_text('')
    return tmp_path


def test_the_import_loads_nothing_heavy_and_the_public_names_are_there(tmp_path: Path) -> None:
    heavy = "print([name for name in ('torch', 'numpy', 'mmengine', 'mmdet3d') if name in sys.modules])"
    assert run(f'{INSTALLED}import geminifusion3d, gemini_lab\n{heavy}', tmp_path) == '[]'
    names = ('import geminifusion3d as root\n'
             'print({name for name in root.__all__ if not hasattr(root, name)}, root.BEVGrid.__name__)')
    assert run(f'{INSTALLED}{names}', tmp_path) == 'set() BEVGrid'


def test_a_recipe_finds_the_package_that_lies_beside_it(tree: Path) -> None:
    assert run(f'{WITHOUT_INSTALLED}{LOAD_DEMO}', tree) == f'{DROPPED_NAME}.detector'
    assert run(f'{INSTALLED}{LOAD_DEMO}', tree) == 'geminifusion3d.detector'


@pytest.mark.parametrize('first, second', [('geminifusion3d', DROPPED_NAME),
                                           (DROPPED_NAME, 'geminifusion3d')])
def test_the_second_name_is_an_alias_of_the_first(tree: Path, first: str, second: str) -> None:
    same = (f'import {first}.geometry.bev_grid as one\nimport {second}.geometry.bev_grid as other\n'
            f'from {second} import BEVGrid\nimport {first} as root\n'
            'print(one is other, BEVGrid is root.BEVGrid, one.__name__, root.__spec__.name)')
    assert run(INSTALLED + same, tree) == f'True True {first}.geometry.bev_grid {first}'
    missing = run(f'{INSTALLED}import {first}\nimport {second}.nothing', tree)
    assert missing == f"ModuleNotFoundError: No module named '{second}.nothing'"


def test_the_laboratory_finds_the_product_in_an_mmdetection3d_tree(tree: Path) -> None:
    code = f'import {DROPPED_NAME}, gemini_lab.text_table as lab\nprint(lab.__name__)'
    assert run(WITHOUT_INSTALLED + code, tree) == 'projects.GeminiFusion3D.gemini_lab.text_table'


def test_a_second_copy_is_refused_with_both_places(tree_of_a_copy: Path) -> None:
    said = run(f'{INSTALLED}import geminifusion3d\nimport {DROPPED_NAME}', tree_of_a_copy)
    assert said == (
        f'geminifusion3d.errors.UserError: {DROPPED_NAME} in {tree_of_a_copy}/projects/GeminiFusion3D/'
        f'geminifusion3d is a second copy of geminifusion3d, which was imported from {PLUGIN}/'
        'geminifusion3d; remove or uninstall one of the two')


def test_mmengine_in_use_gets_the_plugin_at_once(tmp_path: Path) -> None:
    code = ('from mmdet3d.registry import MODELS; MODELS.get("CenterHead"); import geminifusion3d; '
            'print("GeminiFusion3D" in MODELS.module_dict)')
    assert run(INSTALLED + code, tmp_path) == 'True'


@pytest.mark.timeout(600)
def test_a_copy_in_an_mmdetection3d_tree_converts_trains_and_tests(
        tmp_path: Path, synthetic_root: Path) -> None:
    """The folder alone, mmdet3d's own tools, no installed package, no path but what Python sets itself."""
    ignored = shutil.ignore_patterns('__pycache__')
    shutil.copytree(PLUGIN, tmp_path / 'projects' / 'GeminiFusion3D', ignore=ignored)
    (tmp_path / 'tools').symlink_to(Path(mmdet3d.__file__).parent / '.mim' / 'tools')
    dataroot = tmp_path / 'data' / 'synthetic'
    dataroot.mkdir(parents=True)
    for entry in synthetic_root.iterdir():
        (dataroot / entry.name).symlink_to(entry)

    def python(*words: str) -> str:
        # -S leaves out the .pth files of site-packages, by which the checkout is installed.
        ended = subprocess.run(
            [sys.executable, '-S', '-W', 'ignore', *words], cwd=tmp_path, text=True, capture_output=True,
            env={**os.environ, 'PYTHONPATH': sysconfig.get_path('purelib'), 'OMP_NUM_THREADS': '1'})
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    python('-m', DROPPED_NAME, 'convert', '--dataroot', 'data/synthetic', '--version', 'v1.0-mini')
    recipe = f'projects/GeminiFusion3D/{DEMO}'
    loader = ('num_workers=0', 'persistent_workers=False')
    python('tools/train.py', recipe, '--amp', '--cfg-options', 'train_cfg.max_epochs=1',
           'train_cfg.val_begin=9', *(f'train_dataloader.{option}' for option in loader))
    checkpoint = tmp_path / 'work_dirs' / Path(DEMO).stem / 'epoch_1.pth'
    tested = python('tools/test.py', recipe, str(checkpoint), '--cfg-options',
                    *(f'test_dataloader.{option}' for option in loader))
    assert 'NDS' in tested
