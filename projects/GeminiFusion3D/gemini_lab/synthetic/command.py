"""Writes a synthetic nuScenes dataset: official schema, ray-cast sensors, no download.

Example:
    python tools/create_synthetic.py --out data/synthetic --version v1.0-mini
"""
import argparse
import os
import sys
from pathlib import Path

# One thread per process: the work is parallel over scenes.
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from .generate import MAX_SAMPLES, Request, generate
from .scene_names import VERSIONS
from geminifusion3d.cli import run_cli


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, metavar='DIR',
                        help='dataset folder; several versions may share it')
    parser.add_argument('--version', required=True, metavar='V',
                        help=f'one of {", ".join(VERSIONS)} (test has no annotations)')
    parser.add_argument('--scenes', type=int, metavar='N',
                        help='number of scenes, by default all official ones; fewer are taken '
                        'from both splits in proportion, at least one of each if N >= 2')
    parser.add_argument('--samples-per-scene', type=int, default=10, metavar='N',
                        help=f'keyframes per scene at 2 Hz, 2 to {MAX_SAMPLES} (default 10)')
    parser.add_argument('--seed', type=int, default=0, metavar='S',
                        help='same seed, same bytes (default 0)')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, metavar='W',
                        help='processes (default: one per core); no influence on the bytes')
    parser.add_argument('--all-sweeps', action='store_true',
                        help='also camera (12 Hz) and radar (13 Hz) sweeps between keyframes')
    parser.add_argument('--replace', action='store_true',
                        help='a dataset that this tool made here with other arguments gives way')
    return parser.parse_args()


def main() -> None:
    """Generates or continues the dataset that the arguments describe."""
    args = parse_args()
    request = Request(args.out, args.version, args.scenes, args.samples_per_scene, args.seed,
                      args.workers, args.all_sweeps, args.replace)
    is_new = generate(request)
    print(f'{args.out / args.version} is complete' + ('' if is_new else ' (it was already)'))


if __name__ == '__main__':
    run_cli(main)
