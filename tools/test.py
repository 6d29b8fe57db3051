"""Evaluates a checkpoint: python tools/test.py CONFIG CHECKPOINT is `gemini3d test CONFIG CHECKPOINT`."""
from geminifusion3d.commands.main import main

if __name__ == '__main__':
    main('test')
