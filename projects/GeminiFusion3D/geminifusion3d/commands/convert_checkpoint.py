"""What the tools under `tools/model_converters/` do: arguments to a converted file."""
import argparse
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from mmdet3d.registry import MODELS
from mmengine.registry import init_default_scope

from ..checkpoints.checkpoint_fit import Tolerance, branch_of, fit_weights
from ..engine.config_file import check_sections, load_config
from ..engine.mistakes import config_mistakes
from ..checkpoints.bevfusion import LIDAR_BRANCHES, convert_bevfusion
from ..checkpoints.centerpoint import convert_centerpoint
from ..checkpoints.converted_file import PROVENANCE, convert_file
from ..checkpoints.formats import BEVFUSION, CENTERPOINT

TOOLS = 'python tools/model_converters'


def bevfusion_command(arguments: Optional[List[str]] = None) -> int:
    """Converts as the command line of `convert_bevfusion.py` says.

    Returns:
        The exit code, 0.
    """
    parser = _parser('Converts a BEVFusion checkpoint of mmdet3d (lidar or lidar-cam).',
                     f'{TOOLS}/convert_bevfusion.py bevfusion_lidar-cam.pth work_dirs/bevfusion.pth')
    parser.add_argument('--lidar-only', action='store_true',
                        help='keep the LiDAR branch, BEV backbone, neck and head only, as the first stage of '
                             'training a fused model')
    options = parser.parse_args(arguments)
    branches = LIDAR_BRANCHES if options.lidar_only else None
    checkpoint = convert_file(
        options.checkpoint, options.out, formats=[BEVFUSION],
        convert=partial(convert_bevfusion, lidar_only=options.lidar_only),
        check=_check(options.config, options.checkpoint, branches))
    _report(checkpoint, options.out)
    return 0


def centerpoint_command(arguments: Optional[List[str]] = None) -> int:
    """Converts as the command line of `convert_centerpoint.py` says.

    Returns:
        The exit code, 0.
    """
    parser = _parser('Converts a CenterPoint checkpoint of mmdet3d (voxels of 0.075 m or 0.1 m).',
                     f'{TOOLS}/convert_centerpoint.py centerpoint_0075voxel.pth work_dirs/centerpoint.pth')
    options = parser.parse_args(arguments)
    checkpoint = convert_file(options.checkpoint, options.out, formats=[CENTERPOINT],
                              convert=convert_centerpoint,
                              check=_check(options.config, options.checkpoint, None))
    _report(checkpoint, options.out)
    return 0


def _parser(description: str, example: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description, epilog=f'example: {example}',
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', type=Path, help='checkpoint (.pth) to convert; nothing in it is run')
    parser.add_argument('out', type=Path, help='checkpoint to write')
    parser.add_argument('--config', help='recipe that the result is for: it is built, and nothing is written '
                                         'unless every weight fits')
    return parser


def _check(config: Optional[str], source: Path, branches: Optional[tuple]
           ) -> Optional[Callable[[Dict[str, Any]], None]]:
    """Returns what compares the converted weights with a recipe, or None without a recipe."""
    if config is None:
        return None
    cfg = load_config(config)
    check_sections(cfg, ['model'])
    init_default_scope(cfg.get('default_scope', 'mmdet3d'))
    with config_mistakes(config):
        model = MODELS.build(cfg.model)
    others = () if branches is None else tuple(
        branch for branch in dict.fromkeys(map(branch_of, model.state_dict())) if branch not in branches)
    tolerance = Tolerance(missing_branches=others)

    def check(checkpoint: Dict[str, Any]) -> None:
        fit_weights(model, checkpoint, name=f'converted from {source}', tolerance=tolerance)

    return check


def _report(checkpoint: Dict[str, Any], out: Path) -> None:
    source = checkpoint['meta'][PROVENANCE]
    print(f'{len(checkpoint["state_dict"])} weights of {source["format"]} converted: {out}')
