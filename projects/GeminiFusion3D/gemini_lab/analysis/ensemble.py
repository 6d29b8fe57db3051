"""Fuses several results files into one: weighted box fusion of rotated 3D boxes, seen from above.

The files may be of any detector in the nuScenes format, JSON or zip, all of the same split. Boxes of one
class whose centres are near become one; its score falls with every file that missed it. --score,
or naming the dataset, also says what each file and their ensemble score, and what fusing costs.

Example:
    gemini3d ensemble A/results_nusc.json B/results_nusc.json --weights 2 1 --out work_dirs/ensemble
    gemini3d ensemble A/results_nusc.json B/results_nusc.json --score --out work_dirs/ensemble
"""
import argparse
import math
from pathlib import Path
from typing import Dict, List, Sequence

from geminifusion3d.cli import plural
from geminifusion3d.commands.arguments import add_dataset
from geminifusion3d.commands.dataset import Dataset, choose_dataset, is_named, read_run
from geminifusion3d.errors import UserError
from geminifusion3d.learned_samples import LEARNED

RESULTS_NAME, RECORD_NAME, GAIN_NAME = 'results_nusc.json', 'ensemble.json', 'ensemble_gain.json'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the files, how they are fused, and the dataset that scores them."""
    parser.add_argument('files', nargs='+', type=Path, help='results files, at least two')
    parser.add_argument('--weights', nargs='+', type=float, default=[], metavar='W',
                        help='trust in each file; default: 1 each')
    parser.add_argument('--radius', nargs='+', default=[], metavar='CLASS=METRES',
                        help='how near two centres must be to be one object; default: by class, 1 m '
                             'for cars, 1.5 m for trucks and the like, 0.4 m for pedestrians')
    parser.add_argument('--out', type=Path, required=True,
                        help=f'folder for {RESULTS_NAME} and {RECORD_NAME}, which says what went in')
    parser.add_argument('--score', action='store_true',
                        help=f'score the files and the ensemble into {GAIN_NAME}')
    add_dataset(parser, recorded=True)


def run(args: argparse.Namespace) -> None:
    """Writes the fused file, and with a dataset what it gains."""
    from time import perf_counter

    from tqdm import tqdm

    from geminifusion3d.atomic import write_json
    from geminifusion3d.submission.provenance import file_facts
    from geminifusion3d.submission.submission import write_submission

    from .prediction_file import fuse_files, joint_meta, read_predictions
    if len(args.files) < 2:
        raise UserError(f'got one results file, {args.files[0]}; an ensemble is made of two or more')
    weights, radius_m = check_weights(args.weights, len(args.files)), radii(args.radius)
    out = args.out / RESULTS_NAME
    if out.resolve() in [path.resolve() for path in args.files]:
        raise UserError(f'--out {args.out} would replace the input {out}; give another folder')
    dataset = choose_dataset(args, results=args.files[0]) if args.score or is_named(args) else None
    if dataset is not None:
        check_files(args.files, dataset)
    files = []
    for path in args.files:
        files.append(read_predictions(path))
        print(f'{path}: {len(files[-1].tokens)} samples, {len(files[-1].scores)} boxes')
    meta, samples = joint_meta(files), len(files[0].tokens)
    began_s = perf_counter()
    with tqdm(total=samples, desc='samples') as bar:
        fused = fuse_files(files, weights=weights, radius_m=radius_m)
        count = write_submission(out, meta=meta, samples=((bar.update(), sample)[1] for sample in fused))
    seconds = perf_counter() - began_s
    facts = [{**file_facts(path), 'weight': weight, 'boxes': len(file.scores),
              LEARNED: read_run(path).get(LEARNED)}
             for path, file, weight in zip(args.files, files, weights)]
    write_json(args.out / RECORD_NAME, {
        'method': 'weighted box fusion by centre distance', 'radius_m': radius_m, 'meta': meta,
        'files': facts, 'results': file_facts(out), 'samples': samples, 'boxes': count},
        indent=2, sealed=True)
    print(f'{out}: {plural(samples, "sample")}, {plural(count, "box")}')
    if dataset is not None:
        report_gain(args, out, seconds / samples, dataset)


def check_files(files: List[Path], dataset: Dataset) -> None:
    """Refuses files that are no valid submissions of the split, with the first rule that one breaks."""
    from geminifusion3d.submission.split_samples import read_split_samples

    from .prediction_file import check_submission
    split = read_split_samples(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    for path in files:
        check_submission(path, split)


def report_gain(args: argparse.Namespace, fused: Path, seconds_per_sample: float, dataset: Dataset) -> None:
    """Prints and writes what the files and their ensemble score, and what fusing cost."""
    from geminifusion3d.atomic import write_json
    from geminifusion3d.results.devkit_eval import open_tables

    from .prediction_file import format_gain, score_gain
    tables = open_tables(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    rows = score_gain(args.files, fused, tables=tables, split=dataset.split)
    print(format_gain(rows))
    print(f"cost: every file's own inference, and {seconds_per_sample * 1e3:.1f} ms per sample to fuse them")
    write_json(args.out / GAIN_NAME, {'rows': rows, 'split': dataset.split,
                                      'fusing_seconds_per_sample': seconds_per_sample}, indent=2)


def check_weights(weights: Sequence[float], n_files: int) -> Sequence[float]:
    """Returns the weights of the files, all 1 where none are given; each must be above 0."""
    given = list(weights) or [1.0] * n_files
    if len(given) != n_files or not all(0 < weight < math.inf for weight in given):
        raise UserError(f'got weights {" ".join(f"{weight:g}" for weight in given)} for {n_files} sources; '
                        'expected one a source, each above 0')
    return given


def radii(listed: Sequence[str]) -> Dict[str, float]:
    """Returns the distances by class, those of --radius in place of the usual ones."""
    from geminifusion3d.results.weighted_box_fusion import RADIUS_M
    radius_m = dict(RADIUS_M)
    for entry in listed:
        name, _, value = entry.partition('=')
        try:
            radius_m[name] = float(value)
        except ValueError:
            radius_m[name] = math.nan
        if name not in RADIUS_M or not 0 < radius_m[name] < math.inf:
            raise UserError(f'--radius got {entry!r}; expected CLASS=METRES, such as car=1.5: metres above 0 '
                            f'for one of {", ".join(RADIUS_M)}')
    return radius_m
