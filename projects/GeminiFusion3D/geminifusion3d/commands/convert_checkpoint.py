"""Converts a checkpoint of BEVFusion (mmdet3d's or MIT's), CenterPoint or the official GeminiFusion MVX-Net.

The weights say whose they are.

Example:
    gemini3d convert-checkpoint bevfusion_lidar-cam.pth work_dirs/bevfusion.pth
"""
import argparse
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

from ..errors import UserError


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
    from ..checkpoints.bevfusion import FUSER_BRANCHES, LIDAR_BRANCHES, convert_bevfusion
    from ..checkpoints.centerpoint import convert_centerpoint
    from ..checkpoints.converted_file import PROVENANCE, convert_file
    from ..checkpoints.formats import (BEVFUSION, CENTERPOINT, CENTERPOINT_PILLARS, MIT_BEVFUSION,
                                       MIT_BEVFUSION_MAP, MVXNET_GEMINIFUSION, recognise)
    from ..checkpoints.mvxnet import convert_mvxnet

    def convert(weights: Any) -> Dict[str, Any]:
        source = recognise(weights)
        if source in (BEVFUSION, MIT_BEVFUSION, MIT_BEVFUSION_MAP):
            return convert_bevfusion(weights, lidar_only=args.lidar_only, without_fuser=args.without_fuser)
        if args.lidar_only or args.without_fuser:
            raise UserError(f'--lidar-only and --without-fuser are for BEVFusion, {args.checkpoint} is of '
                            f'{getattr(source, "name", "another")}; leave them out')
        return convert_mvxnet(weights) if source == MVXNET_GEMINIFUSION else convert_centerpoint(weights)

    checkpoint = convert_file(args.checkpoint, args.out,
                              formats=[BEVFUSION, MIT_BEVFUSION, MIT_BEVFUSION_MAP, CENTERPOINT,
                                       CENTERPOINT_PILLARS, MVXNET_GEMINIFUSION],
                              convert=convert, check=_check(args, LIDAR_BRANCHES, FUSER_BRANCHES))
    source = checkpoint['meta'][PROVENANCE]
    print(f'{len(checkpoint["state_dict"])} weights of {source["format"]} converted: {args.out}')


def _check(args: argparse.Namespace, lidar_branches: Tuple[str, ...], fuser_branches: Tuple[str, ...]
           ) -> Optional[Callable[[Dict[str, Any]], None]]:
    """Returns what compares the converted weights with a recipe, or None without a recipe."""
    if args.config is None:
        return None
    from mmdet3d.registry import MODELS
    from mmengine.registry import init_default_scope

    from ..checkpoints.checkpoint_fit import Tolerance, branch_of, fit_weights
    from ..engine.config_file import check_sections, load_config
    from ..engine.mistakes import config_mistakes
    cfg = load_config(args.config)
    check_sections(cfg, ['model'])
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    with config_mistakes(args.config):
        model = MODELS.build(cfg.model)
    branches = list(dict.fromkeys(map(branch_of, model.state_dict())))
    others: Tuple[str, ...] = ()
    if args.lidar_only:
        others = tuple(branch for branch in branches if branch not in lidar_branches)
    elif args.without_fuser:
        others = fuser_branches

    def check(checkpoint: Dict[str, Any]) -> None:
        fit_weights(model, checkpoint, name=f'converted from {args.checkpoint}',
                    tolerance=Tolerance(missing_branches=others))

    return check
