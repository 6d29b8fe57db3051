"""Trains a detector: python tools/train.py CONFIG is `gemini3d train CONFIG`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('train')
