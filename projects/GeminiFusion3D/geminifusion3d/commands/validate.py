"""Judges a nuScenes detection submission, JSON or zip, by every rule of the leaderboard and more.

Exit codes: 0 valid, 1 invalid (each broken rule is named with its sample token), 2 could not run.

Example:
    python tools/validate_submission.py work_dirs/demo/submission/results_nusc.zip \
        --dataroot data/synthetic --version v1.0-mini --split mini_val
"""
import argparse
import gc
import json
from pathlib import Path

from ..cli import run_cli
from ..submission.content_rules import TRACKS
from ..submission.split_samples import read_split_samples
from ..submission.validation import Verdict, validate_file


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('file', type=Path, help='results JSON, or a zip with one at its root')
    parser.add_argument('--dataroot', type=Path, required=True, help='folder of the dataset')
    parser.add_argument('--version', required=True, help='for example v1.0-trainval')
    parser.add_argument('--split', required=True,
                        help='for example val, test, mini_val, or a name of splits.json')
    parser.add_argument('--track', choices=sorted(TRACKS),
                        help='the leaderboard track that it is meant for: flags that the track does not '
                             'allow are errors')
    parser.add_argument('--json', action='store_true', help='print the verdict as JSON')
    return parser.parse_args()


def print_verdict(path: Path, verdict: Verdict) -> None:
    """Prints every finding on a line of its own, then the verdict."""
    for finding in verdict.findings:
        print(finding)
    for rule, count in verdict.unlisted.items():
        print(f'... and {count} more [{rule}]')
    print(f'{path}: {"valid" if verdict.is_valid else "INVALID"}, {verdict.n_samples} samples, '
          f'{verdict.n_boxes} boxes, track {verdict.track or "unknown"}, {verdict.n_errors} errors, '
          f'{verdict.n_warnings} warnings')


def main() -> int:
    """Validates the file and returns the exit code."""
    args = parse_args()
    # Millions of short-lived boxes would have the imported modules searched for garbage again and again.
    gc.freeze()
    split = read_split_samples(data_root=args.dataroot, version=args.version, split=args.split)
    verdict = validate_file(args.file, split, track=args.track)
    if args.json:
        print(json.dumps(verdict.to_dict(), indent=2))
    else:
        print_verdict(args.file, verdict)
    return 0 if verdict.is_valid else 1


if __name__ == '__main__':
    run_cli(main)
