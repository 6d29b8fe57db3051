"""Tells setuptools where the two packages lie; everything else is in setup.cfg."""
from setuptools import find_packages, setup

PLUGIN_FOLDER = 'projects/GeminiFusion3D'

setup(
    packages=(find_packages(PLUGIN_FOLDER, include=['geminifusion3d', 'geminifusion3d.*'])
              + find_packages(include=['data_converters', 'data_converters.*'])),
    package_dir={'geminifusion3d': f'{PLUGIN_FOLDER}/geminifusion3d',
                 'data_converters': 'data_converters'})
