"""Writes what the evaluation tools measured into the tables of a Markdown file.

Read, where it exists, below the work directory: breakdown.json, modalities/modalities.json,
tta_gain/tta_gain.json, ensemble/ensemble_gain.json, robustness/robustness.json. Each fills the block of
its name, between <!-- NAME:start --> and <!-- NAME:end -->.

Example:
    gemini3d evaluation-tables work_dirs/demo --into docs/evaluation.md --model demo
"""
import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds where the numbers are and where they go."""
    parser.add_argument('work_dir', type=Path, help='folder of the evaluations')
    parser.add_argument('--into', type=Path, required=True, help='Markdown file with the blocks')
    parser.add_argument('--model', default='this model', help='how tables call the model')


def run(args: argparse.Namespace) -> None:
    """Writes the tables and names them."""
    from .evaluation_page import write_page
    print(f'{args.into}: {", ".join(write_page(args.work_dir, args.into, args.model))}')
