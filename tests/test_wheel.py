"""The wheel: what it holds, what it requires, and that it works without the repository."""
import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from configparser import ConfigParser
from email import message_from_string
from pathlib import Path
from typing import Set

import pytest
import yaml

REPO = Path(__file__).resolve().parents[1]
PLUGIN = Path('projects') / 'GeminiFusion3D'
PACKAGES = {'geminifusion3d', 'gemini_lab'}
DISTRIBUTIONS = {'cv2': 'opencv-python', 'PIL': 'Pillow', 'nuscenes': 'nuscenes-devkit',
                 'spconv': 'spconv-cu120', 'cumm': 'spconv-cu120'}
# PyTorch's builds for GPUs bring triton; `tools` is that of an mmdetection3d checkout, for one benchmark.
# pytest: the campaign of mistakes in the code runs the tests of a checkout.
OPTIONAL = {'triton', 'tools', 'pytest'}


@pytest.fixture(scope='module')
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel, unpacked; built from a copy, so that nothing is left in the repository."""
    folder = tmp_path_factory.mktemp('wheel')
    source, built, unpacked = folder / 'source', folder / 'built', folder / 'unpacked'
    ignored = shutil.ignore_patterns('__pycache__', '*.egg-info', '.mypy_cache')
    shutil.copytree(REPO / PLUGIN, source / PLUGIN, ignore=ignored)
    for name in ('setup.py', 'setup.cfg', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE'):
        shutil.copy(REPO / name, source)
    command = [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation',
               '--disable-pip-version-check', '-w', str(built), str(source)]
    ended = subprocess.run(command, text=True, capture_output=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    with zipfile.ZipFile(next(built.glob('*.whl'))) as archive:
        archive.extractall(unpacked)
    return unpacked


def dist_info(wheel: Path, name: str) -> str:
    """Return a file of the wheel's metadata."""
    return next(wheel.glob(f'*.dist-info/{name}')).read_text()


def imported() -> Set[str]:
    """Return the top-level modules that the two packages import, their own and Python's left out."""
    trees = [ast.parse(file.read_text()) for package in PACKAGES
             for file in (REPO / PLUGIN / package).rglob('*.py')]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split('.')[0] for name in names} - PACKAGES - set(sys.stdlib_module_names)


def test_nothing_but_the_two_packages_is_installed(wheel: Path) -> None:
    assert {path.name for path in wheel.iterdir() if not path.name.endswith('.dist-info')} == PACKAGES


def test_every_import_is_required_by_name(wheel: Path) -> None:
    required = {re.match(r'[\w.-]+', line)[0]
                for line in message_from_string(dist_info(wheel, 'METADATA')).get_all('Requires-Dist')}
    assert {DISTRIBUTIONS.get(name, name) for name in imported() - OPTIONAL} - required == set()
    # It stands in for spconv-cu120 on newer Pythons.
    assert required - {DISTRIBUTIONS.get(name, name) for name in imported()} == {'spconv-cu126'}


def test_the_command_is_installed_and_leads_to_a_function(wheel: Path) -> None:
    entries = ConfigParser()
    entries.read_string(dist_info(wheel, 'entry_points.txt'))
    assert dict(entries['console_scripts']) == {'gemini3d': 'geminifusion3d.commands.main:main'}


def test_the_recipes_lie_where_openmmlabs_tools_look(wheel: Path) -> None:
    mim = wheel / 'geminifusion3d' / '.mim'
    metafiles = [mim / name for name in yaml.safe_load((mim / 'model-index.yml').read_text())['Import']]
    models = [model for path in metafiles for model in yaml.safe_load(path.read_text())['Models']]
    assert models and all((mim / model['Config']).is_file() for model in models)


def test_the_trained_weights_of_the_demo_are_in_it(wheel: Path) -> None:
    assert (wheel / 'gemini_lab' / 'demo.safetensors').is_file()


def test_an_installed_recipe_finds_the_installed_package(wheel: Path, tmp_path: Path) -> None:
    recipe = wheel / 'geminifusion3d' / '.mim' / 'configs' / 'demo' / \
        'geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
    code = ('from mmengine.config import Config\n'
            f'print(Config.fromfile({str(recipe)!r}).custom_imports.imports)\n'
            'import geminifusion3d\nprint(geminifusion3d.__file__)')
    # -S leaves out the .pth files of site-packages, by which the checkout is installed.
    ended = subprocess.run(
        [sys.executable, '-S', '-W', 'ignore', '-c', code], cwd=tmp_path, text=True, capture_output=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(wheel), sysconfig.get_path('purelib')])})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-2:] == [
        "['geminifusion3d.registered']", str(wheel / 'geminifusion3d' / '__init__.py')]


@pytest.mark.timeout(600)
def test_a_config_anywhere_begins_at_an_installed_recipe(wheel: Path, tmp_path: Path) -> None:
    shipped = 'geminifusion3d::demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
    (tmp_path / 'own.py').write_text(f'_base_ = {shipped!r}\n')
    code = ('from geminifusion3d.engine.config_file import load_config\n'
            f'print([load_config(name).model.type for name in ("own.py", {shipped!r})])')
    ended = subprocess.run(
        [sys.executable, '-S', '-W', 'ignore', '-c', code], cwd=tmp_path, text=True, capture_output=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join([str(wheel), sysconfig.get_path('purelib')])})
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "['GeminiFusion3D', 'GeminiFusion3D']"
