"""Trains a detector: python tools/train.py CONFIG; see --help."""
from geminifusion3d.cli import run_cli
from geminifusion3d.commands.train_and_test import parse_train_arguments, train

if __name__ == '__main__':
    run_cli(lambda: train(parse_train_arguments()))
