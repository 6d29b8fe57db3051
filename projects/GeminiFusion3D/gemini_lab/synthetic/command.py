"""Writes a synthetic nuScenes dataset: official schema, ray-cast sensors, no download.

Example:
    gemini3d synthetic --out data/synthetic --version v1.0-mini
"""
import argparse
import os
from pathlib import Path

from geminifusion3d.errors import UserError

VERSION = 'v1.0-mini'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds place, version and size."""
    parser.add_argument('--out', type=Path, default=Path('data/synthetic'), metavar='DIR',
                        help='dataset folder, default: data/synthetic; several versions may share it')
    parser.add_argument('--version', default=VERSION, metavar='V',
                        help='v1.0-mini (default), v1.0-trainval or v1.0-test (which has no annotations)')
    parser.add_argument('--scenes', type=int, metavar='N',
                        help='number of scenes, by default all official ones; fewer are taken '
                        'from both splits in proportion, at least one of each if N >= 2')
    parser.add_argument('--samples-per-scene', type=int, default=40, metavar='N',
                        help='keyframes per scene at 2 Hz, 2 to 40 (default 40)')
    parser.add_argument('--seed', type=int, default=0, metavar='S', help='same seed, same bytes (default 0)')
    parser.add_argument('--workers', type=int, default=os.cpu_count() or 1, metavar='W',
                        help='processes (default: one per core); no influence on the bytes')
    parser.add_argument('--all-sweeps', action='store_true',
                        help='also camera (12 Hz) and radar (13 Hz) sweeps between keyframes')
    parser.add_argument('--replace', action='store_true',
                        help='a dataset that this tool made here with other arguments gives way')
    parser.add_argument('--records', action='store_true',
                        help='another car: three cameras, one LiDAR, three classes, written as '
                             'train.jsonl and val.jsonl in the format of own data (default 4 scenes)')
    parser.add_argument('--kitti', action='store_true',
                        help="KITTI's car and format: one camera, 64 beams, text labels (default 16 scenes)")


def run(args: argparse.Namespace) -> None:
    """Generates or continues the dataset that the arguments describe."""
    # One thread per process: the work is parallel over scenes.
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
    if args.records or args.kitti:
        form = '--records' if args.records else '--kitti'
        others = [flag for flag, is_given in (
            ('--version', args.version != VERSION), ('--all-sweeps', args.all_sweeps),
            ('--replace', args.replace), ('--kitti', args.records and args.kitti)) if is_given]
        if others:
            raise UserError(f'{form} got {", ".join(others)}, which it would not read; leave them out')
        from .kitti import generate_kitti
        from .records import generate_records
        generate_form = generate_records if args.records else generate_kitti
        paths = generate_form(args.out, scenes=args.scenes or (4 if args.records else 16),
                              samples_per_scene=args.samples_per_scene, seed=args.seed)
        print('\n'.join(f'{split}: {path}' for split, path in paths.items()))
        return
    from .generate import Request, generate
    request = Request(args.out, args.version, args.scenes, args.samples_per_scene, args.seed,
                      args.workers, args.all_sweeps, args.replace)
    is_new = generate(request)
    print(f'{args.out / args.version} is complete' + ('' if is_new else ' (it was already)'))
