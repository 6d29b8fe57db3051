"""Converts a checkpoint of BEVFusion (mmdet3d's or MIT's), CenterPoint or the official GeminiFusion MVX-Net.

The weights say whose they are.

Example:
    gemini3d convert-checkpoint bevfusion_lidar-cam.pth work_dirs/bevfusion.pth
"""
import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds source, output and what the result is for."""
    parser.add_argument('checkpoint', type=Path, help='checkpoint (.pth) to convert; nothing in it is run')
    parser.add_argument('out', type=Path, help='checkpoint to write')
    parser.add_argument('--config', help='recipe that the result is for: it is built, and nothing is written '
                                         'unless every weight fits')
    part = parser.add_mutually_exclusive_group()
    part.add_argument('--lidar-only', action='store_true',
                      help='of BEVFusion, keep the LiDAR branch, BEV backbone, neck and head only, as the '
                           'first stage of training a fused model')
    part.add_argument('--without-fuser', action='store_true',
                      help='of BEVFusion, leave the fuser out, as the start of the recipes in '
                           'configs/fuser_exchange')


def run(args: argparse.Namespace) -> None:
    """Converts and says what was written."""
    from ..checkpoints.converters import PROVENANCE, convert_file, convert_weights
    checkpoint = convert_file(
        args.checkpoint, args.out, check=_check(args) if args.config else None,
        convert=partial(convert_weights, lidar_only=args.lidar_only, without_fuser=args.without_fuser))
    source = checkpoint['meta'][PROVENANCE]
    print(f'{len(checkpoint["state_dict"])} weights of {source["format"]} converted: {args.out}')


def _check(args: argparse.Namespace) -> Callable[[Dict[str, Any]], None]:
    """Returns what compares the converted weights with a recipe."""
    from ..checkpoints.checkpoint_fit import Tolerance, branch_of, fit_weights
    from ..checkpoints.converters import FUSER_BRANCHES, LIDAR_BRANCHES
    from ..engine.config_file import build_model, load_config
    model = build_model(load_config(args.config), args.config)
    others = FUSER_BRANCHES if args.without_fuser else ()
    if args.lidar_only:
        others = tuple({*map(branch_of, model.state_dict())} - {*LIDAR_BRANCHES})

    def check(checkpoint: Dict[str, Any]) -> None:
        fit_weights(model, checkpoint, name=f'converted from {args.checkpoint}',
                    tolerance=Tolerance(missing_branches=others))

    return check
