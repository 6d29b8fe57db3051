"""Predicts boxes on samples of one's own or of nuScenes, and draws them.

Samples are generic records (--records FILE.jsonl), a folder of them (a folder with one .jsonl file), or
keyframes of nuScenes (--sample TOKEN, read from the tables; --split NAME reads a converted split).

--out gets predictions.json, all boxes from --min-score on in the LiDAR frame; results_nusc.json in nuScenes'
format, where every sample has poses and the classes are those of nuScenes; a picture per sample with --draw;
a scene to look around in, scene.html, with --html; and scene.mcap for Foxglove with --mcap.

Example:
    gemini3d predict configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py \\
        work_dirs/demo/epoch_6.pth --dataroot data/synthetic --split mini_val --draw --out work_dirs/found
"""
import argparse
import json
from itertools import islice
from pathlib import Path
from typing import Any, Dict, Iterator, List

from ..cli import plural
from ..errors import UserError
from ..paths import safe_name
from .arguments import add_config_options, add_dataset, at_least, overrides
from .dataset import choose_dataset

PREDICTIONS_NAME = 'predictions.json'
# A third of a megabyte each.
MOST_SCENES = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds recipe, checkpoint, samples and output."""
    parser.add_argument('config', help='config file, such as those under configs/')
    parser.add_argument('checkpoint', help='checkpoint (.pth) that was trained with the config')
    add_config_options(parser)
    parser.add_argument('--device', default='cpu', help='cpu (default), cuda, cuda:1')
    parser.add_argument('--amp', choices=['bf16', 'fp16'], help='mixed precision; default: float32')
    parser.add_argument('--cuda-graphs', action='store_true',
                        help='record the parts with fixed shapes as CUDA graphs, for many samples; GPU only')
    parser.add_argument('--records', type=Path, metavar='FILE.jsonl',
                        help='generic records, or a folder with one such file; --dataroot is what their '
                             'paths are relative to (default: the folder of the file)')
    parser.add_argument('--sample', nargs='+', default=[], metavar='TOKEN', help='samples of this name only')
    parser.add_argument('--limit', type=at_least(1), metavar='N', help='the first so many samples only')
    add_dataset(parser)
    parser.add_argument('--out', type=Path, metavar='DIR', default=Path('work_dirs/predictions'),
                        help='where the files go; default: work_dirs/predictions')
    parser.add_argument('--min-score', type=float, default=0.1, metavar='S',
                        help='leave out boxes with a lower score (default: 0.1); not in results_nusc.json')
    parser.add_argument('--batch-size', type=at_least(1), default=1, metavar='N', help='samples at a time')
    parser.add_argument('--draw', action='store_true', help='a picture per sample: cameras, and from above')
    parser.add_argument('--html', action='store_true', help='one page with a 3D scene of every sample')
    parser.add_argument('--mcap', action='store_true',
                        help='one file for Foxglove: points, pictures, poses and boxes of every sample')


def run(args: argparse.Namespace) -> None:
    """Predicts and writes."""
    if not 0 <= args.min_score <= 1:
        raise UserError(f'got --min-score {args.min_score:g}; expected 0 to 1')
    if args.out.is_dir() and any(args.out.iterdir()) and not (args.out / PREDICTIONS_NAME).is_file():
        raise UserError(f'{args.out} holds something else than predictions; name another folder with --out')
    from ..engine.config_file import datasets_of, load_config
    cfg = load_config(args.config, overrides(args.cfg_options))
    reads_radar = any((dataset.get('modality') or {}).get('use_radar')
                      for dataset in datasets_of(cfg, ['test_dataloader']))
    samples = list(islice(_samples(args, reads_radar), args.limit))
    if args.html and len(samples) > MOST_SCENES:
        raise UserError(f'--html puts every sample into one page, and a browser holds about {MOST_SCENES}; '
                        f'got {len(samples)}: choose with --limit or --sample, or write --mcap')
    from ..inference import Detector
    from ..inference.mcap_scene import check_mcap, write_mcap
    if args.mcap:
        check_mcap()
    detector = Detector.from_files(cfg, args.checkpoint, args.device, precision=args.amp or 'fp32',
                                   cuda_graphs=args.cuda_graphs)
    found: List[Any] = []
    for start in range(0, len(samples), args.batch_size):
        batch = samples[start:start + args.batch_size]
        found += detector(batch)
        if args.draw:
            for index, sample in enumerate(batch, start):
                _draw(detector, sample, found[index], args, index)
    _write(detector, found, args)
    if args.html:
        from ..inference.scenes import write_scene_page
        write_scene_page(args.out / 'scene.html', detector, samples, found, min_score=args.min_score)
        print(args.out / 'scene.html')
    if args.mcap:
        write_mcap(args.out / 'scene.mcap', detector, samples, found, min_score=args.min_score)
        print(args.out / 'scene.mcap')


def _samples(args: argparse.Namespace, reads_radar: bool) -> Iterator[Any]:
    from ..inference import nuscenes_samples, record_samples
    if args.records is None:
        if not (args.sample or args.split):
            raise UserError('got no samples; name some with --sample TOKEN, a split with --split NAME, or a '
                            'file of records with --records FILE.jsonl')
        dataset = choose_dataset(args, needs_split=False)
        yield from nuscenes_samples(dataset.dataroot, dataset.version, args.sample, dataset.split,
                                    with_radars=reads_radar)
        return
    missing = set(args.sample)
    for sample in record_samples(_record_file(args.records), args.dataroot):
        if not args.sample or sample.token in missing:
            missing.discard(sample.token)
            yield sample
    if missing:
        raise UserError(f'{args.records} has no sample {", ".join(sorted(missing))}')


def _record_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted(path.glob('*.jsonl'))
    if len(files) != 1:
        names = ', '.join(file.name for file in files) or 'no .jsonl file'
        raise UserError(f'{path} holds {names}; expected one file of records, or name it')
    return files[0]


def _draw(detector: Any, sample: Any, found: Any, args: argparse.Namespace, index: int) -> None:
    from ..inference import draw_detections
    from ..picture_files import write_picture

    path = args.out / f'{index:05d}_{safe_name(sample.token)}.jpg'
    write_picture(path, draw_detections(detector, sample, found, min_score=args.min_score))
    print(path)


def _write(detector: Any, found: List[Any], args: argparse.Namespace) -> None:
    from ..atomic import atomic_write
    from ..inference.detections import BOX_COLUMNS
    from ..nuscenes_facts import CLASS_NAMES
    from ..submission.submission import write_submission
    shown = [one.above(args.min_score) for one in found]
    head = {'config': args.config, 'checkpoint': args.checkpoint, 'min_score': args.min_score,
            'classes': list(detector.class_names), 'box': list(BOX_COLUMNS)}
    # Sample by sample: as plain values, those of a split of nuScenes take gigabytes.
    with atomic_write(args.out / PREDICTIONS_NAME) as part, part.open('w') as file:
        file.write(json.dumps(head, indent=1)[:-2] + ',\n "samples": [')
        for place, one in enumerate(shown):
            file.write((',' if place else '') + '\n  ' + json.dumps(one.to_dict(), allow_nan=False))
        file.write('\n ]\n}\n')
    print(args.out / PREDICTIONS_NAME)
    has_poses = all(one.ego_from_lidar is not None and one.global_from_ego is not None for one in found)
    if found and has_poses and set(detector.class_names) <= set(CLASS_NAMES):
        meta: Dict[str, bool] = {'use_map': False, 'use_external': False, **detector.model.modalities}
        write_submission(args.out / 'results_nusc.json', meta=meta,
                         samples=((one.token, one.nuscenes_records()) for one in found))
        print(args.out / 'results_nusc.json')
    boxes = sum(map(len, shown))
    note = '' if boxes else '; nothing reaches it: the best score is ' + (
        f'{max((one.scores.max() for one in found if len(one)), default=0):.3f}')
    print(f'{plural(boxes, "box")} with a score of at least {args.min_score:g} in '
          f'{plural(len(found), "sample")}{note}')
