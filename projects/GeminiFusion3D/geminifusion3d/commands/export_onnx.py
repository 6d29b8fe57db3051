"""Writes the dense parts of a detector as ONNX and compares them with PyTorch by onnxruntime.

image.onnx is image backbone, neck and depth net; bev.onnx alignment, fuser, BEV backbone, neck and head.
Outside stay the sparse convolutions (run them by spconv or its TensorRT plugins), the splat between the two
files (a voxel pooling) and the decoding of boxes; with --autoware only the last, sparse convolutions are
nodes of Autoware's plugins. onnx_export.json says inputs, opset, batch and the largest difference of each
output, by onnxruntime and by torch.export.

Example:
    gemini3d export-onnx configs/RECIPE.py work_dirs/RECIPE/epoch_6.pth --out work_dirs/onnx
"""
import argparse
from pathlib import Path
from typing import Any, Dict, Tuple

from ..errors import UserError

RECORD = 'onnx_export.json'
# Of a recipe without a test pipeline.
IMAGE_SIZE = (256, 704)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds recipe, weights and output."""
    parser.add_argument('config', help='recipe of the detector')
    parser.add_argument('checkpoint', nargs='?', help='weights; without any they are random')
    parser.add_argument('--out', type=Path, required=True, help='folder to write')
    parser.add_argument('--image-size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'),
                        help="of an image after resizing, in pixels; default: the recipe's")
    parser.add_argument('--autoware', action='store_true',
                        help='write the files of Autoware\'s ROS 2 node autoware_bevfusion instead')
    parser.add_argument('--cameras', type=int, default=6,
                        help='images of a batch, where the backbone does not take any number; default: 6')


def run(args: argparse.Namespace) -> int:
    """Exports, prints the differences and returns the exit code: 1 where one is too large."""
    if args.out.exists() and any(args.out.iterdir()) and not (args.out / RECORD).is_file():
        raise UserError(f'--out {args.out} holds files and no {RECORD}: expected a new folder or one that '
                        'this command wrote; name another')
    from ..atomic import write_json
    from ..checkpoints.checkpoint_file import read_checkpoint
    from ..checkpoints.checkpoint_fit import fit_weights, said_of_config
    from ..engine.config_file import build_model, load_config, trained_config
    from ..engine.onnx_export import (TOLERANCE, dense_parts, export_part, settle_norms,
                                      torch_export_differences)
    cfg = load_config(args.config)
    image_hw = tuple(args.image_size or image_size(cfg))
    if image_hw != image_size(cfg):
        print(f'note: {args.config} reads images of {image_size(cfg)} pixels, and the files take {image_hw}')
    detector, size = build_model(cfg, args.config), dict(image_hw=image_hw, cameras=args.cameras)
    if args.checkpoint is not None:
        weights = read_checkpoint(args.checkpoint)
        detector.load_state_dict(fit_weights(detector, weights, name=args.checkpoint))
        said = said_of_config(weights, trained_config(cfg), name=args.checkpoint)
        if said:
            print(f'warning: {said}')
    parts = dense_parts(detector, **size)
    if args.checkpoint is None:
        settle_norms(parts)
    if args.autoware:
        from ..engine.autoware_onnx import autoware_parts
        parts = autoware_parts(detector, **size)
    args.out.mkdir(parents=True, exist_ok=True)
    record: Dict[str, Any] = {}
    written = dict(config=args.config, checkpoint=args.checkpoint, parts=record)
    # Before the first part too: a run that fails leaves a folder that the next one knows.
    write_json(args.out / RECORD, written, indent=2)
    for part in parts:
        record[part.name] = export_part(part, args.out)
        record[part.name]['torch_export_relative_difference'] = torch_export_differences(part)
        write_json(args.out / RECORD, written, indent=2)
    worst = 0.
    for facts in record.values():
        largest, exported = (max(facts[key].values()) for key in (
            'relative_difference', 'torch_export_relative_difference'))
        worst = max(worst, largest, exported)
        batch = 'any batch' if facts['batch'] == 'any' else f'batches of {facts["batch"]}'
        print(f'{args.out / facts["file"]}: opset {facts["opset"]}, {batch}, differs from PyTorch by at most '
              f'{largest:.1e} of the largest value, by torch.export {exported:.1e}')
    if args.autoware:
        largest = _join(detector, args.out)
        worst = max(worst, largest)
        written['encoder_relative_difference'] = largest
        write_json(args.out / RECORD, written, indent=2)
    if not worst <= TOLERANCE:
        print(f'the files do not compute what PyTorch does: expected at most {TOLERANCE:.0e}')
        return 1
    return 0


def _join(detector: Any, folder: Path) -> float:
    """Puts the sparse encoder in front of what Autoware's node runs; returns its largest difference."""
    from ..engine.autoware_encoder import drawn_voxels, encoder_difference, encoder_model, join
    from ..engine.autoware_onnx import REST, WHOLE
    from ..engine.onnx_export import OPSET
    branch, file = detector.lidar_branch.eval(), folder / f'{WHOLE}.onnx'
    model = encoder_model(branch, OPSET)
    largest = encoder_difference(model, branch, *drawn_voxels(branch))
    join(model, folder / f'{REST}.onnx', file)
    print(f'{file}: the same behind sparse convolutions as nodes of Autoware\'s plugins; by their meaning in '
          f'numpy, the LiDAR map differs from PyTorch by at most {largest:.1e} of the largest value')
    return largest


def image_size(cfg: Any) -> Tuple[int, int]:
    """Returns height and width of the images that a recipe's model reads in testing.

    Args:
        cfg: the recipe.
    """
    from ..engine.config_file import steps_of
    found = [step['final_hw'] for _, step in steps_of(cfg, 'test_dataloader') if 'final_hw' in step]
    height, width = found[0] if found else IMAGE_SIZE
    return height, width
