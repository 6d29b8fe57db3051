"""Judges a nuScenes detection submission, JSON or zip, by every rule of the leaderboard and more.

What the server refuses comes first, then what it takes without a word and the score suffers from.

Exit codes: 0 valid, 1 invalid (each broken rule is named with its sample token), 2 could not run.

Example:
    gemini3d validate work_dirs/demo/submission/results_nusc.zip --dataroot data/synthetic --split mini_val
"""
import argparse
import json
from pathlib import Path

from ..submission.findings import EXAMPLES, MAX_LISTED_PER_RULE
from ..submission.rules import TRACKS
from .arguments import add_dataset
from .dataset import choose_dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds file, dataset and track."""
    parser.add_argument('file', type=Path, help='results JSON, or a zip with one at its root')
    add_dataset(parser, recorded=True)
    parser.add_argument('--track', choices=sorted(TRACKS),
                        help='the leaderboard track that it is meant for: flags that the track does not '
                             'allow are errors')
    parser.add_argument('--all', action='store_true',
                        help=f'show not {EXAMPLES} but up to {MAX_LISTED_PER_RULE} findings of each rule')
    parser.add_argument('--json', action='store_true', help='print the verdict as JSON')


def run(args: argparse.Namespace) -> int:
    """Validates the file and returns the exit code."""
    import gc

    from ..submission.provenance import check_recorded
    from ..submission.split_samples import read_split_samples
    from ..submission.validation import validate_file

    # Millions of short-lived boxes would have the imported modules searched for garbage again and again.
    gc.freeze()
    dataset = choose_dataset(args, results=args.file)
    split = read_split_samples(data_root=dataset.dataroot, version=dataset.version, split=dataset.split)
    check_recorded(args.file)
    verdict = validate_file(args.file, split, track=args.track)
    max_listed = MAX_LISTED_PER_RULE if args.all else EXAMPLES
    if args.json:
        print(json.dumps(verdict.to_dict(max_listed=max_listed), indent=2))
    else:
        *findings, summary = verdict.lines(max_listed=max_listed)
        print('\n'.join([*findings, f'{args.file}: {summary}']))
    return 0 if verdict.is_valid else 1
