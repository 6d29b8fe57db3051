"""Tell setuptools where the packages lie, and put the recipes into the wheel; the rest is in setup.cfg."""
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PLUGIN_FOLDER = 'projects/GeminiFusion3D'


class BuildWithRecipes(build_py):
    """Copy recipes and metafile to where OpenMMLab's tools look in an installed package: `.mim`."""

    def run(self) -> None:
        """Build as setuptools does, then copy; an editable install reads the repository's own."""
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'geminifusion3d', '.mim')
        shutil.copytree(Path(PLUGIN_FOLDER, 'configs'), mim / 'configs', dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns('__pycache__'))
        shutil.copy(Path(PLUGIN_FOLDER, 'metafile.yml'), mim)
        (mim / 'model-index.yml').write_text('Import:\n  - metafile.yml\n')


setup(packages=find_packages(PLUGIN_FOLDER, include=['geminifusion3d*', 'gemini_lab*']),
      package_dir={'': PLUGIN_FOLDER}, cmdclass={'build_py': BuildWithRecipes})
