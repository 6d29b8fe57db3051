"""Evaluates a checkpoint with the official nuScenes metric.

Example:
    gemini3d test configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py work_dirs/demo/epoch_6.pth \\
        --work-dir work_dirs/demo
"""
import argparse

from .arguments import add_evaluation, add_silence, add_speed, add_test_time_augmentation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds recipe, checkpoint and what changes the evaluation."""
    add_evaluation(parser)
    add_silence(parser)
    add_test_time_augmentation(parser)
    add_speed(parser)
    group = parser.add_argument_group('pictures')
    group.add_argument('--show-dir', metavar='DIR',
                       help="draw what is found, by mmdet3d's Det3DVisualizationHook: cameras and the view "
                            'from above, a file each per sample')
    group.add_argument('--score-thr', type=float, default=0.3, metavar='S',
                       help='boxes with a lower score are not drawn (default: 0.3)')


def run(args: argparse.Namespace) -> int:
    """Evaluates."""
    from .train_and_test import test
    return test(args)
