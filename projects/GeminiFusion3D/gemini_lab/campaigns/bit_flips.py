"""Single bit flips in every kind of file that holds content which is read: none may be read as other content.

Each file is read by the product's own reader: as it was written, then with one bit flipped somewhere. A flip
may be refused in a sentence, be said in a warning (of text that people edit), or change nothing that is read
(a loading that is made anew, a blank, a field that nobody reads). It is found wanting where other content
comes back without a word, or a traceback. Kinds that carry no check sum by their own format, nor one in a
record beside them, are counted apart: there a flip is found only where what it leaves breaks the format or a
rule. Exit codes: 0 nothing found, 1 something.

Example:
    python -m gemini_lab.campaigns.bit_flips --n 2000 --out work_dirs/campaigns
"""
import io
import json
import os
import random
import shutil
import sys
import traceback
import zlib
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import cv2
import numpy as np
import torch
from mmdet3d.structures import BasePoints
from mmengine.logging import HistoryBuffer

from geminifusion3d.check_sums import SUMS_NAME, said
from geminifusion3d.checkpoints.checkpoint_file import read_checkpoint
from geminifusion3d.commands.dataset import read_run
from geminifusion3d.data_converters.gt_database import Objects, is_whole_part, read_part, write_part
from geminifusion3d.engine.loss_hooks import read_curve
from geminifusion3d.errors import UserError
from geminifusion3d.info_file import open_info_file
from geminifusion3d.kitti import GeminiKittiDataset, GeminiLoadKittiFrame
from geminifusion3d.kitti.infos import read_infos
from geminifusion3d.picture_files import decode, read_whole
from geminifusion3d.point_files import read_point_file, without_absurd
from geminifusion3d.results.devkit_eval import open_tables
from geminifusion3d.results.run_record import read_record
from geminifusion3d.sensors import (GeminiCachedLoading, GeminiLoadImages, GeminiLoadPoints, GeminiLoadRadar,
                                    GeminiNuScenesDataset, GeminiRecordDataset)
from geminifusion3d.sensors.load_cells import read_cells
from geminifusion3d.sensors.map_expansion import read_map
from geminifusion3d.sensors.object_database import ObjectDatabase
from geminifusion3d.sensors.records import RecordFile, RecordInfos
from geminifusion3d.submission.provenance import ensemble_facts

from ..analysis.prediction_file import read_predictions
from ..jobs import Results
from ..report.metric_files import read_json, read_metrics
from ..synthetic.records import CLASSES
from . import campaign_parser
from .tiny_chain import CHAIN, RECIPE, RECIPE_NAME, Command

VERSION, SPLIT = 'v1.0-mini', 'mini_val'
# The same data once more, with check sums of the sensor files.
CHECK_SUMS = ('convert', '--dataroot', 'data', '--version', VERSION, '--read-all', '--radar-sweeps', '2',
              '--out', 'summed')
RECORD_SUMS = ('check-data', 'records/val.jsonl', '--with-sums', 'records/summed.jsonl')
KITTI = ('synthetic', '--kitti', '--out', 'kitti', '--scenes', '2', '--samples-per-scene', '2')
KITTI_SUMS = ('convert-kitti', '--dataroot', 'kitti')
MOST_SWEEPS = 9
RECORDS = ('synthetic', '--records', '--out', 'records', '--scenes', '2', '--samples-per-scene', '2')
ENSEMBLE = ('ensemble', 'run/results_nusc.json', 'submission/results_nusc.json', '--out', 'ensemble')
SMALL = 64
BREAKDOWN = ('evaluate', 'breakdown', 'run/results_nusc.json', '--json', 'run/breakdown.json')


class Kind(NamedTuple):
    """Files of one kind and what reads them.

    Attributes:
        files: of which one is flipped.
        read: returns what is in them, in any form that `plain` knows.
    """

    files: List[Path]
    read: Callable[[Path], Any]


def build_world(folder: Path) -> None:
    """Runs the chain, once for all campaigns of this kind."""
    steps = (*CHAIN.values(), CHECK_SUMS, RECORDS, RECORD_SUMS, KITTI, KITTI_SUMS, ENSEMBLE, BREAKDOWN)
    mark = folder / 'complete'
    if mark.exists() and mark.read_text() == str(steps):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECIPE_NAME).write_text(RECIPE)
    for words in steps:
        code, text = Command(folder, words).ended()
        if code:
            raise RuntimeError(f'{" ".join(words)} ended with {code}:\n{text}')
    mark.write_text(str(steps))


def kinds(world: Path) -> 'tuple[Dict[str, Kind], Dict[str, Kind]]':
    """Returns the kinds that carry a check sum, and those that do not."""
    data, run = world / 'data', world / 'run'
    database = data / 'gt_database_mini_train'
    infos = data / f'geminifusion3d_infos_{SPLIT}.pkl'
    steps = [dict(type='GeminiLoadImages', camera_names=['CAM_FRONT'], reduce=8),
             dict(type='GeminiLoadPoints', sweeps_num=0)]
    cached = GeminiCachedLoading(steps=steps, folder=str(world / 'cache'))
    sample = _keyframes(GeminiNuScenesDataset, data, infos, modality=dict(use_camera=True, use_lidar=True))[0]
    cached.transform(dict(sample))

    part = world / 'scene.objects'
    with part.open('wb') as file:
        write_part(file, _some_objects(database))
    scores = world / 'scores.json'
    scores.unlink(missing_ok=True)
    Results(scores, {'code': 'a'}).keep('clean', {'mAP': 0.25, 'NDS': 0.5})
    png = world / 'picture.png'
    picture = min((data / 'samples/CAM_FRONT').glob('*.jpg'))
    cv2.imwrite(str(png), decode(picture.read_bytes(), 4)[0])

    shutil.copytree(data / VERSION, world / 'bare' / VERSION)
    (world / 'bare' / VERSION / SUMS_NAME).unlink()
    (world / 'bare' / 'maps').symlink_to(data / 'maps')

    with_sums = {
        'checkpoint': Kind([_lighter(run / 'epoch_4.pth')], read_checkpoint),
        'info file': Kind([infos], lambda path: [open_info_file(path).metainfo, *open_info_file(path)]),
        'ground-truth database': Kind(sorted(database.iterdir()), _read_database),
        'part of a database': Kind([part], _read_whole_part),
        'cached loading': Kind(sorted(Path(cached.folder).rglob('*.kept')),
                               lambda path: cached.transform(dict(sample))),
        'results of a test': Kind([run / 'results_nusc.json'], read_predictions),
        'record of a test': Kind([run / 'test_run.json'],
                                 lambda path: [read_record(run / 'results_nusc.json'), read_run(run)]),
        'scores of a test': Kind([run / 'metrics_summary.json', run / 'metrics_details.json'],
                                 lambda path: read_metrics(run)),
        'scores by condition': Kind([scores], lambda path: Results(path, {'code': 'a'}).parts),
        'breakdown': Kind([run / 'breakdown.json'], read_json),
        'submission': Kind([world / 'submission/results_nusc.json'], read_predictions),
        'zipped submission': Kind([world / 'submission/results_nusc.zip'], read_predictions),
        'record of an ensemble': Kind([world / 'ensemble/ensemble.json'],
                                      lambda path: ensemble_facts(path.with_name('results_nusc.json'))),
        'PNG picture': Kind([png], _read_picture),
        'labels of cells with a check sum': _cells_kind(world),
        'loss curve': Kind([run / 'loss_curve.jsonl'], read_curve),
        'tables of the generator': Kind(sorted((data / VERSION).iterdir()), lambda path: _read_tables(data)),
        'map expansion of the generator': Kind(sorted((data / 'maps/expansion').iterdir()), _read_maps),
        'records of the generator': Kind(
            sorted((world / 'records').glob('*.jsonl')), lambda path: list(_all(RecordInfos(path)))),
        'info file of KITTI': Kind(sorted((world / 'kitti').glob('*_train.pkl')), read_infos),
        **_loaded_kinds(data, world / 'summed'), **_record_kinds(world / 'records'),
        **_kitti_kinds(world / 'kitti')}
    without = {
        'JPEG picture, converted without --read-all': Kind(sorted((data / 'samples').rglob('*.jpg')),
                                                           _read_picture),
        'points, converted without --read-all': Kind(sorted((data / 'samples').rglob('*LIDAR*.bin')),
                                                     lambda path: without_absurd(read_point_file(str(path)))),
        'tables without a list (JSON, references)': Kind(sorted((world / 'bare' / VERSION).glob('*.json')),
                                                         lambda path: _read_tables(world / 'bare')),
        'records of own data (rules)': Kind([_without_sums(world / 'records/val.jsonl')],
                                            lambda path: list(_all(RecordInfos(path))))}
    return with_sums, without


def _keyframes(kind: Any, root: Path, infos: Any, **settings: Any) -> List[Dict[str, Any]]:
    """Returns the records of a dataset as a pipeline gets them."""
    dataset = kind(data_root=str(root), ann_file=str(infos), pipeline=[], test_mode=True,
                   load_eval_anns=False, **settings)
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def _lighter(checkpoint: Path) -> Path:
    """Writes a checkpoint without its large tensors, which is read often."""
    def small(node: Any) -> Any:
        if isinstance(node, dict):
            return type(node)((key, small(value)) for key, value in node.items()
                              if not torch.is_tensor(value) or value.numel() <= SMALL)
        return node

    lighter = checkpoint.with_name('lighter.pth')
    torch.save(small(read_checkpoint(checkpoint)), lighter)
    return lighter


def _some_objects(database: Path) -> Objects:
    read = ObjectDatabase(database)
    boxes, points = read.boxes('car'), [read.points('car', index) for index in range(len(read.boxes('car')))]
    return Objects(labels=np.zeros(len(boxes), np.int64), num_points=np.array([*map(len, points)], np.int64),
                   boxes=np.array(boxes), points=np.concatenate(points))


def _loaded_kinds(data: Path, infos: Path) -> Dict[str, Kind]:
    """Returns the pictures and clouds that records with check sums name, each read as a training reads it."""
    keyframes: Dict[str, Dict[str, Any]] = {}
    for path in sorted(infos.glob('*.pkl')):
        for keyframe in _keyframes(GeminiNuScenesDataset, data, path.resolve(),
                                   modality=dict(use_camera=True, use_lidar=True, use_radar=True)):
            clouds = (keyframe, *keyframe['lidar_sweeps'][:MOST_SWEEPS])
            names = [image['img_path'] for image in keyframe['images'].values()]
            names += [cloud['lidar_points']['lidar_path'] for cloud in clouds]
            names += [shot['radar_path'] for shots in keyframe['radars'].values() for shot in shots[:3]]
            keyframes.update(dict.fromkeys(names, keyframe))

    def files(ending: str) -> List[Path]:
        return [Path(name) for name in sorted(keyframes) if name.endswith(ending)]

    pictures, points = GeminiLoadImages(reduce=4), GeminiLoadPoints(sweeps_num=MOST_SWEEPS)
    radars = GeminiLoadRadar(sweeps_num=2)
    return {'JPEG picture, --read-all': Kind(
                files('.jpg'), lambda path: pictures.transform(keyframes[str(path)])['img']),
            'points, --read-all': Kind(
                files('.bin'), lambda path: points.transform(keyframes[str(path)])['points']),
            'radar, --read-all': Kind(
                files('.pcd'), lambda path: radars.transform(keyframes[str(path)])['radar_points'])}


def _record_kinds(root: Path) -> Dict[str, Kind]:
    """Returns the lines and the files of records with check sums."""
    infos = _keyframes(GeminiRecordDataset, root, 'summed.jsonl', metainfo=dict(classes=CLASSES))
    pictures = GeminiLoadImages(camera_names=list(infos[0]['images']))
    points = GeminiLoadPoints(sweeps_num=2)
    of_file = {}
    for info in infos:
        names = [image['img_path'] for image in info['images'].values()]
        names += [part['lidar_points']['lidar_path'] for part in (info, *info['lidar_sweeps'])]
        of_file.update(dict.fromkeys(names, info))

    def load(path: Path) -> Any:
        info = of_file[str(path)]
        return points.transform(info)['points'] if path.suffix == '.bin' else pictures.transform(info)['img']

    return {'records --with-sums': Kind([root / 'summed.jsonl'], lambda path: _all(RecordInfos(path))),
            'files of records --with-sums': Kind([Path(name) for name in sorted(of_file)], load)}


def _kitti_kinds(root: Path) -> Dict[str, Kind]:
    """Returns the pictures and clouds of KITTI with check sums."""
    frames = _keyframes(
        GeminiKittiDataset, root, 'geminifusion3d_kitti_train.pkl', metainfo=dict(classes=['Car']),
        modality=dict(use_lidar=True, use_camera=True),
        data_prefix=dict(pts='training/velodyne', img='training/image_2'))
    of_file = {name: frame for frame in frames
               for name in (frame['img_path'], frame['lidar_points']['lidar_path'])}

    def load(path: Path) -> Any:
        frame = GeminiLoadKittiFrame().transform(dict(of_file[str(path)]))
        return [frame['points'], frame['img']]

    return {'files of KITTI': Kind([Path(name) for name in sorted(of_file)], load)}


def _cells_kind(world: Path) -> Kind:
    """Returns a file of labels, which a record names with its check sum."""
    path = world / 'cells.npy'
    np.save(path, np.random.default_rng(0).integers(0, 9, (40, 60), np.uint8))
    crc32 = zlib.crc32(path.read_bytes())
    return Kind([path], lambda path: read_cells(path, crc32))


def _without_sums(path: Path) -> Path:
    """Writes the records of a file as somebody does who knows no check sums."""
    bare = path.with_name('bare.jsonl')
    records = RecordFile(path)
    bare.write_text(''.join(json.dumps(records[index]) + '\n' for index in range(len(records))))
    return bare


def _read_maps(path: Path) -> Any:
    return [read_map(map_file) for map_file in sorted(path.parent.glob('*.json'))]


def _all(items: Any) -> List[Any]:
    return [items[index] for index in range(len(items))]


def _read_database(path: Path) -> Any:
    database = ObjectDatabase(path.parent)
    return [database.metainfo, {
        name: [database.boxes(name), *(database.points(name, index) for index in range(count))]
        for name, count in database.metainfo['num_objects'].items()}]


def _read_whole_part(path: Path) -> Any:
    if not is_whole_part(path):
        raise UserError('the scene is cut out again')
    return list(read_part(path))


def _read_picture(path: Path) -> Any:
    return decode(read_whole(path)[0])[0]


def _read_tables(root: Path) -> Any:
    tables = open_tables(data_root=root, version=VERSION)
    return {name: getattr(tables, name) for name in tables.table_names}


def plain(node: Any) -> Any:
    """Returns content in a form that `==` compares; NaN is equal to itself."""
    if torch.is_tensor(node):
        flat = node.contiguous().view(-1).view(torch.uint8)
        return str(node.dtype), tuple(node.shape), flat.numpy().tobytes()
    if isinstance(node, np.ndarray):
        return str(node.dtype), node.shape, node.tobytes()
    if isinstance(node, BasePoints):
        return plain(node.tensor)
    if isinstance(node, HistoryBuffer):
        return [plain(values) for values in node.data]
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, (list, tuple)):
        return [plain(value) for value in node]
    if hasattr(node, '__dataclass_fields__'):
        return plain(vars(node))
    return repr(node)


def flip(kind: Kind, sound: Any, rng: random.Random) -> str:
    """Flips one bit of one file, reads, and puts it back; returns what came of it."""
    path = rng.choice(kind.files)
    data, stat = path.read_bytes(), path.stat()
    at, bit = rng.randrange(len(data)), rng.randrange(8)
    flipped = bytearray(data)
    flipped[at] ^= 1 << bit
    path.write_bytes(flipped)
    # The cache knows files by their times.
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    warnings = io.StringIO()
    said.clear()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(warnings):
            same = plain(kind.read(path)) == sound
        if not same and 'check sum' in warnings.getvalue():
            return 'said'
        return 'the same' if same else f'OTHER CONTENT: {path.name}, bit {bit} of byte {at}'
    except UserError:
        return 'refused'
    except Exception:
        return f'TRACEBACK: {path.name}, bit {bit} of byte {at}: {traceback.format_exc().splitlines()[-1]}'
    finally:
        path.write_bytes(data)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def run(count: int, seed: int, out: Path, only: Sequence[str] = ()) -> int:
    """Flips so many bits in files with check sums, half as many in others; returns how many were accepted."""
    os.environ['OMP_NUM_THREADS'] = '1'
    torch.set_num_threads(1)
    world = (out / 'world').resolve()
    build_world(world)
    copied = out / 'flipped'
    shutil.rmtree(copied, ignore_errors=True)
    shutil.copytree(world, copied)
    bad = 0
    for group, number in zip(kinds(copied.resolve()), (count, count // 2)):
        group = {name: kind for name, kind in group.items() if not only or any(part in name for part in only)}
        number = number if group else 0
        figures: Dict[str, 'Counter[str]'] = {name: Counter() for name in group}
        with redirect_stdout(io.StringIO()):
            sound = {name: plain(kind.read(kind.files[0])) if name in SAME_FOR_ALL else None
                     for name, kind in group.items()}
        for index in range(number):
            name = list(group)[index % len(group)]
            rng = random.Random(f'{seed} {name} {index}')
            kind = Kind([rng.choice(group[name].files)], group[name].read)
            what = flip(kind, sound[name] or plain(kind.read(kind.files[0])), rng)
            figures[name][what.partition(':')[0]] += 1
            if what.startswith(('OTHER', 'TRACEBACK')) and (number == count or what.startswith('TRACEBACK')):
                bad += 1
                print(f'{name}: {what}', flush=True)
        print('with check sums' if number == count else '\nwithout check sums of their own')
        for name, counter in figures.items():
            print(f'  {name:<42} {sum(counter.values()):>4} flips: '
                  + ', '.join(f'{number} {what.lower()}' for what, number in sorted(counter.items())))
        print(f'  {number} flips: {dict(sum(figures.values(), Counter()))}', flush=True)
    shutil.rmtree(copied)
    return bad


# What is read is the whole, whichever of its files is flipped.
SAME_FOR_ALL = ('checkpoint', 'info file', 'ground-truth database', 'scores of a test',
                'tables of the generator', 'tables without a list (JSON, references)',
                'map expansion of the generator')


if __name__ == '__main__':
    parser = campaign_parser(__doc__, 'where the small world is built; another run finds it there', n=2000,
                             what='flips in files with check sums, half as many in others')
    parser.add_argument('--only', nargs='+', default=[], metavar='TEXT',
                        help='kinds with one of these in their name')
    arguments = parser.parse_args()
    sys.exit(1 if run(arguments.n, arguments.seed, arguments.out, arguments.only) else 0)
