"""Looks into results files: what one holds, how two differ, what one looks like.

Example:
    gemini3d predictions summary work_dirs/demo/results_nusc.json
    gemini3d predictions compare A/results_nusc.json B/results_nusc.json --json work_dirs/compare.json
    gemini3d predictions draw work_dirs/demo/results_nusc.json --sample TOKEN
"""
import argparse
from pathlib import Path

from geminifusion3d.commands.arguments import add_dataset
from geminifusion3d.commands.dataset import choose_dataset, is_named


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the three ways to look."""
    commands = parser.add_subparsers(dest='what', required=True, metavar='summary|compare|draw')
    one = commands.add_parser('summary', aliases=['inspect'],
                              help='counts, scores, distances, and what looks wrong')
    one.add_argument('file', type=Path, help='results JSON or the zip of one')
    add_dataset(one, split='with it, distances from the ego vehicle are counted')
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
    picture.add_argument('--sample', required=True, metavar='TOKEN', help='which sample')
    add_dataset(picture, split='', recorded=True)
    picture.add_argument('--min-score', type=float, default=0.2, help='predictions to draw (default: 0.2)')
    picture.add_argument('--out', type=Path,
                         help='the picture, a .png or .jpg file; default: TOKEN.png beside the results')


def run(args: argparse.Namespace) -> None:
    """Runs the sub-command."""
    {'summary': _summary, 'inspect': _summary, 'compare': _compare, 'draw': _draw}[args.what](args)


def _summary(args: argparse.Namespace) -> None:
    """Prints what a file holds."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.submission.split_samples import read_split_samples

    from ..analysis.prediction_file import read_with_findings
    from ..analysis.prediction_file_summary import format_summary, summarise_predictions
    split = None
    if is_named(args):
        dataset = choose_dataset(args, results=args.file)
        split = read_split_samples(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    file, log = read_with_findings(args.file)
    summary = summarise_predictions(file, log, split.ego_xy_global_m if split else None)
    print(format_summary(summary))
    if args.json:
        write_json(args.json, summary, indent=2)


def _compare(args: argparse.Namespace) -> None:
    """Prints how two files differ."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.results.devkit_eval import open_tables

    from ..analysis.compare_predictions import compare_files
    from ..analysis.compare_predictions_table import format_comparison
    from ..analysis.ensemble import valid_samples
    dataset = choose_dataset(args, results=args.a)
    valid_samples([args.a, args.b], dataset)
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    result = compare_files(args.a, args.b, tables=tables, split=dataset.split, min_score=args.min_score)
    print(format_comparison(result))
    if args.json:
        write_json(args.json, result, indent=2)


def _draw(args: argparse.Namespace) -> None:
    """Draws one sample."""
    from geminifusion3d.atomic import atomic_write
    from geminifusion3d.results.devkit_eval import open_tables

    from .boxes import read_results
    from ..analysis.prediction_file_drawing import draw_file_sample, encode
    dataset = choose_dataset(args, results=args.file, needs_split=False)
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version)
    results, out = read_results(args.file), args.out or args.file.parent / f'{args.sample}.png'
    picture = draw_file_sample(tables, results, args.sample, min_score=args.min_score)
    with atomic_write(out) as part:
        part.write_bytes(encode(picture, out))
    boxes = results.get(args.sample, [])
    drawn = sum(box["detection_score"] >= args.min_score for box in boxes)
    hint = '; lower --min-score to see more' if drawn < len(boxes) else ''
    print(f'{out}: {drawn} of {len(boxes)} predictions, those from a score of {args.min_score:g} on{hint}')
