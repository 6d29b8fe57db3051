"""Tells setuptools where the two packages lie; everything else is in setup.cfg."""
from setuptools import find_packages, setup

PLUGIN_FOLDER = 'projects/GeminiFusion3D'

setup(packages=find_packages(PLUGIN_FOLDER, include=['geminifusion3d*', 'gemini_lab*']),
      package_dir={'': PLUGIN_FOLDER})
