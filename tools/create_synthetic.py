"""Writes a synthetic nuScenes: python tools/create_synthetic.py is `gemini3d synthetic`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('synthetic')
