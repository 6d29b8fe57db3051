"""Fuses several results files into one: weighted box fusion of rotated 3D boxes, seen from above.

The files may be of any detector in the nuScenes format, JSON or zip, all of the same split. Boxes of one
class whose centres are near become one; its score falls with every file that missed it.

Examples:
    python tools/ensemble.py A/results_nusc.json B/results_nusc.json --weights 2 1 \\
        --out work_dirs/ensemble
    python tools/ensemble.py A/results_nusc.json B/results_nusc.json --out work_dirs/ensemble \\
        --dataroot data/nuscenes --version v1.0-trainval --split val
The second also says what each file and their ensemble score, and what fusing costs.
"""
import argparse
import hashlib
from pathlib import Path
from time import perf_counter
from typing import Dict, List, Optional

from mmengine.utils import ProgressBar

from geminifusion3d.atomic import write_json
from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.submission.findings import errors_among
from geminifusion3d.results.nuscenes_metric import RESULTS_NAME
from .prediction_file import read_predictions, write_predictions
from .prediction_file_fusion import fuse_files, joint_meta
from .prediction_file_gain import format_gain, score_gain
from geminifusion3d.submission.split_samples import SplitSamples, read_split_samples
from geminifusion3d.submission.validation import validate_file
from geminifusion3d.results.weighted_box_fusion import RADIUS_M, check_weights, with_radii

RECORD_NAME, GAIN_NAME = 'ensemble.json', 'ensemble_gain.json'


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', nargs='+', type=Path, help='results files')
    parser.add_argument('--weights', nargs='+', type=float, default=[], metavar='W',
                        help='trust in each file; default: 1 each')
    parser.add_argument('--radius', nargs='+', default=[], metavar='CLASS=METRES',
                        help='how near two centres must be to be one object; default: '
                             + ' '.join(f'{name}={value:g}' for name, value in RADIUS_M.items()))
    parser.add_argument('--out', type=Path, required=True,
                        help=f'folder for {RESULTS_NAME} and {RECORD_NAME}, which says what went in')
    scored = parser.add_argument_group('gain', f'with all three, the files are scored into {GAIN_NAME}')
    scored.add_argument('--dataroot', type=Path, help='folder of the dataset')
    scored.add_argument('--version', help='for example v1.0-trainval')
    scored.add_argument('--split', help='official or from splits.json')
    return parser.parse_args()


def scored_split(args: argparse.Namespace) -> Optional[SplitSamples]:
    """Returns the samples to score on, after a look at every file; None where scores are not asked for.

    Raises:
        UserError: if the dataset is named in part, or a file is no valid submission of the split.
    """
    dataset = (args.dataroot, args.version, args.split)
    if not any(dataset):
        return None
    if not all(dataset):
        raise UserError('got some of --dataroot, --version, --split; give all three, or none')
    split = read_split_samples(data_root=args.dataroot, version=args.version, split=args.split)
    for path in args.files:
        errors = errors_among(validate_file(path, split).findings)
        if errors:
            raise UserError(f'{path} is no valid submission of {args.split}: {errors[0]}; '
                            'tools/validate_submission.py lists everything')
    return split


def report_gain(args: argparse.Namespace, fused: Path, seconds: float, samples: int) -> None:
    """Prints and writes what the files and their ensemble score, and what fusing cost."""
    tables = open_tables(data_root=args.dataroot, version=args.version)
    rows = score_gain(args.files, fused, tables=tables, split=args.split)
    print(format_gain(rows))
    print(f'cost: every file\'s own inference, and {seconds / samples * 1e3:.1f} ms a sample to fuse them')
    write_json(args.out / GAIN_NAME, {'rows': rows, 'split': args.split,
                                      'fusing_seconds_per_sample': seconds / samples}, indent=2)


def radii(listed: List[str]) -> Dict[str, float]:
    """Returns the distances of --radius.

    Raises:
        UserError: if an entry is not CLASS=METRES.
    """
    changes = {}
    for entry in listed:
        name, _, value = entry.partition('=')
        try:
            changes[name] = float(value)
        except ValueError:
            raise UserError(f'--radius got {entry!r}; expected CLASS=METRES, such as car=1.5') from None
    return with_radii(changes)


def main() -> Optional[int]:
    """Writes the fused file."""
    args = parse_args()
    weights, radius_m = check_weights(args.weights, len(args.files)), radii(args.radius)
    out = args.out / RESULTS_NAME
    if out.resolve() in [path.resolve() for path in args.files]:
        raise UserError(f'--out {args.out} would replace the input {out}; give another folder')
    split = scored_split(args)
    files = []
    for path in args.files:
        files.append(read_predictions(path))
        print(f'{path}: {len(files[-1].tokens)} samples, {len(files[-1].scores)} boxes')
    meta = joint_meta(files)
    progress, began_s = ProgressBar(len(files[0].tokens)), perf_counter()
    fused = fuse_files(files, weights=weights, radius_m=radius_m)
    count = write_predictions(out, meta=meta, samples=(_tick(sample, progress) for sample in fused))
    seconds = perf_counter() - began_s
    write_json(args.out / RECORD_NAME, {
        'method': 'weighted box fusion by centre distance', 'radius_m': radius_m, 'meta': meta,
        'files': [{'path': str(path), 'sha256': sha256(path), 'weight': weight, 'boxes': len(file.scores)}
                  for path, file, weight in zip(args.files, files, weights)],
        'samples': len(files[0].tokens), 'boxes': count}, indent=2)
    print(f'\n{out}: {len(files[0].tokens)} samples, {count} boxes')
    if split is not None:
        report_gain(args, out, seconds, len(files[0].tokens))


def sha256(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with open(path, 'rb') as stream:
        return hashlib.file_digest(stream, 'sha256').hexdigest()


def _tick(sample: tuple, progress: ProgressBar) -> tuple:
    progress.update()
    return sample


if __name__ == '__main__':
    run_cli(main)
