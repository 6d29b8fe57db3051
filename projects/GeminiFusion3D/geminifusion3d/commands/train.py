"""Trains a detector, or goes on with a training.

Example:
    gemini3d train configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py \\
        --work-dir work_dirs/demo --resume auto
"""
import argparse

from .arguments import add_recipe


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the recipe and what a training takes."""
    add_recipe(parser)
    parser.add_argument('--resume', nargs='?', const='auto', metavar='auto|CHECKPOINT',
                        help='continue from this checkpoint; "auto" or nothing: from the newest '
                             'readable one in the work directory, or from the beginning')
    parser.add_argument('--amp', nargs='?', const='auto', choices=['auto', 'bf16', 'fp16'],
                        help='mixed precision; alone or auto: bf16 where the device knows it (CPUs, GPUs '
                             'from Ampere on), else fp16')
    parser.add_argument('--auto-scale-lr', action='store_true',
                        help='scale the learning rate by the real batch size over the recipe\'s, as '
                             'the recipes here do by default')
    parser.add_argument('--allow-scored-objects', action='store_true',
                        help='paste objects even of samples that validation scores; the checkpoint and '
                             'every score of it will say so')
    parser.add_argument('--seed', type=int, help='seed of everything random')


def run(args: argparse.Namespace) -> int:
    """Trains; returns 0, or 130 after Ctrl-C."""
    from .train_and_test import train
    return train(args)
