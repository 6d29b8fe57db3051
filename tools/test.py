"""Evaluates a checkpoint: python tools/test.py CONFIG CHECKPOINT; see --help."""
from geminifusion3d.cli import run_cli
from geminifusion3d.commands.train_and_test import parse_test_arguments, test

if __name__ == '__main__':
    run_cli(lambda: test(parse_test_arguments()))
