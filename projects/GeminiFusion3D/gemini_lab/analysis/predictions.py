"""Looks into results files: what one holds, how two differ, what one looks like.

Examples:
    python tools/predictions.py inspect work_dirs/demo/results_nusc.json
    python tools/predictions.py compare A/results_nusc.json B/results_nusc.json \\
        --dataroot data/synthetic --version v1.0-mini --split mini_val --json work_dirs/compare.json
    python tools/predictions.py draw work_dirs/demo/results_nusc.json --sample TOKEN \\
        --dataroot data/synthetic --version v1.0-mini --out work_dirs/sample.png
"""
import argparse
from pathlib import Path

from geminifusion3d.atomic import atomic_write, write_json
from geminifusion3d.cli import run_cli
from geminifusion3d.errors import UserError
from ..report.boxes import read_results
from .compare_predictions import compare_files
from .compare_predictions_table import format_comparison
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.submission.findings import errors_among
from .prediction_file import read_with_findings
from .prediction_file_drawing import draw_file_sample, encode
from .prediction_file_summary import format_summary, summarise_predictions
from geminifusion3d.submission.split_samples import read_split_samples
from geminifusion3d.submission.validation import validate_file


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True)
    one = commands.add_parser('inspect', help='counts, scores, distances, and what looks wrong')
    one.add_argument('file', type=Path, help='results JSON or the zip of one')
    _add_dataset(one, is_required=False)
    one.add_argument('--split', help='with --dataroot and --version: where the ego vehicle was')
    one.add_argument('--json', type=Path, help='also write everything here')
    two = commands.add_parser('compare', help='which objects one file found and the other missed')
    two.add_argument('a', type=Path, help='results JSON')
    two.add_argument('b', type=Path, help='results JSON of the same split')
    _add_dataset(two, is_required=True)
    two.add_argument('--split', required=True, help='official or from splits.json')
    two.add_argument('--min-score', type=float,
                     help='what counts as a find; default: the score of the highest F1, by class and file')
    two.add_argument('--json', type=Path, help='also write every differing object here')
    picture = commands.add_parser('draw', help='six cameras and the view from above')
    picture.add_argument('file', type=Path, help='results JSON')
    picture.add_argument('--sample', required=True, metavar='TOKEN', help='which sample')
    _add_dataset(picture, is_required=True)
    picture.add_argument('--min-score', type=float, default=0.2, help='predictions to draw (default: 0.2)')
    picture.add_argument('--out', type=Path, required=True, help='the picture, a .png or .jpg file')
    return parser.parse_args()


def _add_dataset(parser: argparse.ArgumentParser, *, is_required: bool) -> None:
    parser.add_argument('--dataroot', type=Path, required=is_required, help='folder of the dataset')
    parser.add_argument('--version', required=is_required, help='for example v1.0-trainval')


def inspect(args: argparse.Namespace) -> None:
    """Prints what a file holds."""
    dataset = (args.dataroot, args.version, args.split)
    if any(dataset) and not all(dataset):
        raise UserError('got some of --dataroot, --version, --split; give all three, or none')
    split = read_split_samples(data_root=args.dataroot, version=args.version,
                               split=args.split) if all(dataset) else None
    file, log = read_with_findings(args.file)
    summary = summarise_predictions(file, log, split.ego_xy_global_m if split else None)
    print(format_summary(summary))
    if args.json:
        write_json(args.json, summary, indent=2)


def compare(args: argparse.Namespace) -> None:
    """Prints how two files differ."""
    split = read_split_samples(data_root=args.dataroot, version=args.version, split=args.split)
    for path in (args.a, args.b):
        errors = errors_among(validate_file(path, split).findings)
        if errors:
            raise UserError(f'{path} is no valid submission of {args.split}: {errors[0]}; '
                            'tools/validate_submission.py lists everything')
    tables = open_tables(data_root=args.dataroot, version=args.version)
    result = compare_files(args.a, args.b, tables=tables, split=args.split, min_score=args.min_score)
    print(format_comparison(result))
    if args.json:
        write_json(args.json, result, indent=2)


def draw(args: argparse.Namespace) -> None:
    """Draws one sample."""
    tables = open_tables(data_root=args.dataroot, version=args.version)
    picture = draw_file_sample(tables, read_results(args.file), args.sample, min_score=args.min_score)
    with atomic_write(args.out) as part:
        part.write_bytes(encode(picture, args.out))
    print(args.out)


def main() -> None:
    """Runs the sub-command."""
    args = parse_args()
    {'inspect': inspect, 'compare': compare, 'draw': draw}[args.command](args)


if __name__ == '__main__':
    run_cli(main)
