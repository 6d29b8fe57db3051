"""Writes what the evaluation tools measured into the tables of a Markdown file.

Read, where it exists, below the work directory: breakdown.json, modalities/modalities.json,
tta_gain/tta_gain.json, ensemble/ensemble_gain.json, robustness/robustness.json. Each fills the block of
its name, between <!-- NAME:start --> and <!-- NAME:end -->.

Example:
    python tools/evaluation_tables.py work_dirs/demo --into docs/evaluation.md --model demo
"""
import argparse
from pathlib import Path

from geminifusion3d.cli import run_cli
from .evaluation_page import write_page


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dir', type=Path, help='folder of the evaluations')
    parser.add_argument('--into', type=Path, required=True, help='Markdown file with the blocks')
    parser.add_argument('--model', default='this model', help='how tables call the model')
    return parser.parse_args()


def main() -> None:
    """Writes the tables and names them."""
    args = parse_args()
    print(f'{args.into}: {", ".join(write_page(args.work_dir, args.into, args.model))}')


if __name__ == '__main__':
    run_cli(main)
