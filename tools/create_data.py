"""Converts a dataset: python tools/create_data.py nuscenes is `gemini3d convert`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('convert')
