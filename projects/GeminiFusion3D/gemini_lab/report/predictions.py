"""Looks into results files: what one holds, how two differ, what one looks like.

Example:
    gemini3d predictions summary work_dirs/demo/results_nusc.json
    gemini3d predictions compare A/results_nusc.json B/results_nusc.json --json work_dirs/compare.json
    gemini3d predictions draw work_dirs/demo/results_nusc.json --sample TOKEN --out work_dirs/sample.png
"""
import argparse
from pathlib import Path

from geminifusion3d.atomic import write_json
from geminifusion3d.cli import plural
from geminifusion3d.commands.arguments import add_dataset
from geminifusion3d.commands.dataset import choose_dataset, is_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds what to do with which files."""
    commands = parser.add_subparsers(dest='what', required=True)
    one = commands.add_parser('summary', aliases=['inspect'],
                              help='counts, scores, distances, and what looks wrong')
    one.add_argument('file', type=Path, help='results JSON or the zip of one')
    add_dataset(one, split='official or from splits.json; with a dataset: where the ego vehicle was')
    one.add_argument('--json', type=Path, help='also write everything here')
    two = commands.add_parser('compare', help='which objects one file found and the other missed')
    two.add_argument('a', type=Path, help='results JSON')
    two.add_argument('b', type=Path, help='results JSON of the same split')
    add_dataset(two, recorded=True)
    two.add_argument('--min-score', type=float,
                     help='what counts as a find; default: the score of the highest F1, by class and file')
    two.add_argument('--json', type=Path, help='also write every differing object here')
    picture = commands.add_parser('draw', help='six cameras and the view from above')
    picture.add_argument('file', type=Path, help='results JSON')
    picture.add_argument('--sample', metavar='TOKEN', help='which sample; default: the first of the file')
    add_dataset(picture, split='', recorded=True)
    picture.add_argument('--min-score', type=float, default=0.2, help='predictions to draw (default: 0.2)')
    picture.add_argument('--out', type=Path, help='the picture, a .png or .jpg file; default: TOKEN.png '
                                                  'beside the file')


def run(args: argparse.Namespace) -> None:
    """Runs the sub-command."""
    {'summary': summary, 'inspect': summary, 'compare': compare, 'draw': draw}[args.what](args)


def summary(args: argparse.Namespace) -> None:
    """Prints what a file holds."""
    from geminifusion3d.submission.split_samples import read_split_samples

    from ..analysis.prediction_file import format_summary, read_with_findings, summarise_predictions
    dataset = choose_dataset(args, results=args.file) if is_named(args) else None
    split = read_split_samples(data_root=dataset.dataroot, version=dataset.version,
                               split=dataset.split) if dataset else None
    file, log = read_with_findings(args.file)
    content = summarise_predictions(file, log, split.ego_xy_global_m if split else None)
    print(format_summary(content))
    if args.json:
        write_json(args.json, content, indent=2)


def compare(args: argparse.Namespace) -> None:
    """Prints how two files differ."""
    from geminifusion3d.results.devkit_eval import open_tables
    from geminifusion3d.submission.split_samples import read_split_samples

    from ..analysis.compare_predictions import compare_files, format_comparison
    from ..analysis.prediction_file import check_submission
    dataset = choose_dataset(args, results=args.a)
    split = read_split_samples(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    for path in (args.a, args.b):
        check_submission(path, split)
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    result = compare_files(args.a, args.b, tables=tables, split=dataset.split, min_score=args.min_score)
    print(format_comparison(result))
    if args.json:
        write_json(args.json, result, indent=2)


def draw(args: argparse.Namespace) -> None:
    """Draws one sample and says what is on the picture."""
    from geminifusion3d.picture_files import write_picture
    from geminifusion3d.results.devkit_eval import open_tables
    from geminifusion3d.submission.submission import read_samples

    from .dataset import read_results
    from .drawing import picture_of, read_file_sample
    dataset = choose_dataset(args, results=args.file, needs_split=False)
    token = args.sample or next((token for token, _ in read_samples(args.file)), '')
    results = read_results(args.file, [token])
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    sample = read_file_sample(tables, results, token, min_score=args.min_score)
    out = args.out or args.file.with_name(f'{token}.png')
    write_picture(out, picture_of(sample))
    print(f'{out}: {plural(len(sample.predictions), "prediction")} from {args.min_score:g} in orange, '
          f'{plural(len(sample.truth), "object")} in blue')
