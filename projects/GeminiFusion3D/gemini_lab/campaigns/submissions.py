"""Thousands of spoilt submissions, JSON and zip, before the judge: no traceback, no hang, no wrong verdict.

Each verdict is compared with a checker of its own (no code of the judge, one plain loop over the records)
and with the unmodified devkit's loader: what it stops at must be invalid, and what the judge says that the
server refuses must stop it. Exit codes: 0 nothing found, 1 something (the file is left for a look).

Example:
    python -m gemini_lab.campaigns.submissions --n 3000 --out work_dirs/campaigns
"""
import copy
import io
import json
import math
import random
import signal
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

from geminifusion3d.errors import UserError
from geminifusion3d.submission.split_samples import SplitSamples
from geminifusion3d.submission.submission import read_meta, read_samples, write_submission
from geminifusion3d.submission.validation import validate_file

from . import campaign_parser

# Of the processor and, should a file make the judge wait, of the clock on the wall.
LIMIT_S, WALL_LIMIT_S = 10, 60
FLAGS = ('use_camera', 'use_lidar', 'use_radar', 'use_map', 'use_external')
VEHICLE = {'vehicle.moving', 'vehicle.parked', 'vehicle.stopped'}
CYCLE = {'cycle.with_rider', 'cycle.without_rider'}
PEDESTRIAN = {'pedestrian.moving', 'pedestrian.standing', 'pedestrian.sitting_lying_down'}
ATTRIBUTES = {'car': VEHICLE, 'truck': VEHICLE, 'bus': VEHICLE, 'trailer': VEHICLE, 'barrier': {''},
              'construction_vehicle': VEHICLE, 'motorcycle': CYCLE, 'bicycle': CYCLE, 'traffic_cone': {''},
              'pedestrian': PEDESTRIAN}
LENGTHS = {'translation': 3, 'size': 3, 'rotation': 4, 'velocity': 2}
FIELDS = {*LENGTHS, 'sample_token', 'detection_name', 'detection_score', 'attribute_name'}
EGO_XY_M = {f'{index:032x}': (1000.0 + 20 * index, 500.0) for index in range(3)}
NAN, INF = float('nan'), float('inf')
ODD: Tuple[Any, ...] = (
    None, True, False, '', 'car', 'Car', 'vehicle.moving', 'vehicle.flying', 'pedestrian.moving', 0, 1, -1,
    0.5, 1.0, 1 + 1e-9, -0.0, 1e-300, 1e308, -1e308, 2 ** 53, 2 ** 70, 10 ** 400, NAN, INF, -INF, [], {},
    [[]], [1.0], [0.0] * 3, [0.0] * 4, [1.0, 0.0, 0.0, 0.0], [1.0009, 0.0, 0.0, 0.0],
    [1.0011, 0.0, 0.0, 0.0], [NAN, 0.0], [1.0, 2.0], [2.0, 4.0, 1.5], [2, 4, 1], ['1', '2', '3'],
    [True, 1.0, 1.0], [1000.0, 610.0, 0.0], [1000.0, 610.001, 0.0], [2.0, NAN, 1.5], [2.0, None, 1.5],
    [INF, 500.0, 1.0], {'x': 1}, 'x' * 5000, '\ud800', '\u2028"\\', *EGO_XY_M)
NEW_KEYS = ('num_pts', 'ego_translation', 'version', f'{3:032x}', 'x' * 300)
MARKS = (b'{', b'}', b'[', b']', b',', b'"', b':', b'\xff', b' ', b'0', b'\\')
LONG = (b'[' * 20_000, b'{"a":' * 20_000, b'9' * 6000, b' ' * 100_000)


def sound_submission(rng: random.Random) -> Dict[str, Any]:
    """Returns a submission that breaks no rule."""
    results = {}
    for token, (x_m, y_m) in EGO_XY_M.items():
        results[token] = []
        for _ in range(rng.randrange(5)):
            name, yaw_rad = rng.choice(list(ATTRIBUTES)), rng.uniform(-math.pi, math.pi)
            results[token].append({
                'sample_token': token, 'size': [rng.uniform(0.3, 9) for _ in range(3)],
                'translation': [x_m + rng.uniform(-70, 70), y_m + rng.uniform(-70, 70), rng.uniform(-2, 3)],
                'rotation': [math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)],
                'velocity': [rng.gauss(0, 5), rng.gauss(0, 5)], 'detection_name': name,
                'detection_score': rng.uniform(0.01, 1),
                'attribute_name': rng.choice(sorted(ATTRIBUTES[name]))})
    return {'meta': {flag: rng.random() < 0.5 for flag in FLAGS}, 'results': results}


def is_sound(text: bytes) -> bool:
    """Whether the text of a submission breaks no rule, by a plain loop over what JSON gives."""
    def constant(name: str) -> None:
        raise ValueError(name)

    def once(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        if len({key for key, _ in pairs}) < len(pairs):
            raise ValueError('a key twice')
        return dict(pairs)

    try:
        content = json.loads(text.decode('utf-8'), parse_constant=constant, object_pairs_hook=once)
        flags_are_sound = (set(content) == {'meta', 'results'} and set(content['meta']) == set(FLAGS)
                           and all(content['meta'][flag] in (True, False) for flag in FLAGS)
                           and all(isinstance(content['meta'][flag], bool) for flag in FLAGS))
        return (flags_are_sound and content['results'].keys() == EGO_XY_M.keys()
                and all(isinstance(records, list) and len(records) <= 500
                        and all(is_sound_record(record, token) for record in records)
                        for token, records in content['results'].items()))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError):
        return False


def is_sound_record(record: Dict[str, Any], token: str) -> bool:
    """Whether a record breaks no rule."""
    if set(record) != FIELDS or record['sample_token'] != token:
        return False
    for field, length in LENGTHS.items():
        if not isinstance(record[field], list) or len(record[field]) != length:
            return False
        for number in record[field]:
            if isinstance(number, bool) or not math.isfinite(number + 0.0):
                return False
            if isinstance(number, int) and abs(number) > 2 ** 53:
                return False
    score = record['detection_score']
    if isinstance(score, bool) or not 0 <= score + 0.0 <= 1:
        return False
    away_m = math.dist(record['translation'][:2], EGO_XY_M[token])
    return (min(record['size']) > 0 and abs(math.hypot(*record['rotation']) - 1) <= 1e-3 and away_m <= 110
            and record['attribute_name'] in ATTRIBUTES[record['detection_name']])


def places(node: Any, path: Tuple[Any, ...] = ()) -> List[Tuple[Any, ...]]:
    """Returns the paths to everything in a submission."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(deeper for key, value in inner for deeper in places(value, (*path, key)))]


def change_content(content: Dict[str, Any], rng: random.Random) -> Any:
    """Replaces, removes, repeats or adds something anywhere."""
    path = rng.choice(places(content))
    if not path:
        return rng.choice(ODD)
    holder = content
    for key in path[:-1]:
        holder = holder[key]
    kind = rng.randrange(4)
    if kind == 0:
        del holder[path[-1]]
    elif kind == 1 and isinstance(holder, list):
        holder.extend([copy.deepcopy(holder[path[-1]])] * rng.choice((1, 1, 600)))
    elif kind == 1:
        holder[rng.choice(NEW_KEYS)] = rng.choice(ODD)
    else:
        holder[path[-1]] = rng.choice(ODD)
    return content


def change_text(text: bytes, rng: random.Random) -> bytes:
    """Cuts, flips, repeats or inserts in the text."""
    at, kind = rng.randrange(len(text)), rng.randrange(8)
    if kind == 0:
        return text[:at]
    if kind == 1:
        return text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1:]
    if kind == 2:
        return text[:at] + rng.choice(MARKS) + text[at:]
    if kind == 3:
        return text.replace(b'"size":', b'"size": [1.0, 1.0, 1.0], "size":', 1)
    if kind == 4:
        return text[:at] + rng.choice(LONG) + text[at:]
    if kind == 5:
        key = rng.choice((b'"meta"', b'"results"', b'"use_map"', b'"' + next(iter(EGO_XY_M)).encode() + b'"'))
        return text.replace(key + b':', key + b': 1, ' + key + b':', 1)
    if kind == 6:
        return text.replace(b'0.', b'1e5', 1) if rng.random() < 0.5 else b'\xef\xbb\xbf' + text
    if rng.random() < 0.3:
        return b'{' + b'"a": 1, ' * 30_000 + text[1:]
    return text + rng.choice((b'\n', b'{}', b'\0'))


def packed(text: bytes, rng: random.Random) -> bytes:
    """Returns the text in a zip, mostly spoilt."""
    memory = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
    kind = rng.randrange(8)
    with zipfile.ZipFile(memory, 'w', method) as archive:
        archive.writestr('folder/r.json' if kind == 0 else 'r\u00e4.json' if kind == 1 else 'r.json', text)
        if kind == 2:
            archive.writestr(rng.choice(('b.json', 'b.txt', '../b.json')), '{}')
        if kind == 3 and rng.random() < 0.1:
            archive.writestr('c.txt', b'a' * 50_000_000)
    content = bytearray(memory.getvalue())
    if kind >= 4:
        for _ in range(rng.choice((1, 1, 1, 20))):
            content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content[:rng.randrange(len(content))] if kind == 7 else content)


def unpacked(path: Path) -> Optional[bytes]:
    """Returns the one JSON text at the root of a zip, None where there is none or it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            (name, ) = [name for name in names if name.endswith('.json') and '/' not in name]
            return archive.read(name)
    except Exception:
        return None


def devkit_stops(path: Path) -> bool:
    """Whether the unmodified devkit does not load a file, or finds other samples than the split's."""
    from nuscenes.eval.common.loaders import load_prediction
    from nuscenes.eval.detection.data_classes import DetectionBox
    try:
        boxes, _ = load_prediction(str(path), 500, DetectionBox)
    except Exception:
        return True
    return set(boxes.sample_tokens) != set(EGO_XY_M)


class Hang(BaseException):
    """A file took too long; nothing that catches an Exception stops this one."""


def examine(path: Path, copy_path: Path) -> List[str]:
    """Returns what is wrong with the judge's verdict about a file."""
    split, found = SplitSamples('v1.0-mini', 'mini_val', EGO_XY_M), []
    verdict = validate_file(path, split)
    text = unpacked(path) if zipfile.is_zipfile(path) or path.suffix == '.zip' else path.read_bytes()
    if verdict.is_valid != (text is not None and is_sound(text)):
        found.append('wrong accept' if verdict.is_valid else 'wrong reject')
    if text is not None:
        copy_path.write_bytes(text)
        stops = devkit_stops(copy_path)
        if stops and verdict.is_valid:
            found.append('accepted, the devkit stops')
        # Of a value that a repeated key replaces, the devkit sees nothing.
        repeats = any(finding.rule == 'duplicate-key' for finding in verdict.findings)
        if verdict.server_refuses and not stops and not repeats:
            found.append('said to be refused, the devkit does not stop')
    json.dumps(verdict.to_dict())
    '\n'.join(verdict.lines()).encode()
    try:
        write_submission(copy_path, meta=read_meta(path), samples=read_samples(path), expected=EGO_XY_M)
    except UserError as error:
        found += [] if str(error) else ['an error without words']
    else:
        if verdict.is_valid and not validate_file(copy_path, split).is_valid:
            found.append('a copy is invalid')
    return found


def spoilt(index: int, rng: random.Random) -> Tuple[str, bytes]:
    """Returns the name and the bytes of one file."""
    content: Any = sound_submission(rng)
    if index % 3 == 0 or rng.random() < 0.2:
        for _ in range(rng.choice((1, 1, 2))):
            content = change_content(content, rng) if isinstance(content, dict) else content
    text = json.dumps(content, indent=rng.choice((None, None, 2))).encode()
    if index % 3 == 1:
        text = change_text(text, rng)
    return ('r.zip', packed(text, rng)) if index % 3 == 2 else ('r.json', text)


def run(count: int, seed: int, out: Path) -> int:
    """Examines so many files; returns how many were found wanting."""
    out.mkdir(parents=True, exist_ok=True)
    figures: 'Counter[str]' = Counter()
    longest_s = 0.0

    def too_long(*_: Any) -> None:
        raise Hang

    devkit_stops(out)  # the devkit takes seconds to import
    for timer in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(timer, too_long)
    with tempfile.TemporaryDirectory() as folder:
        for index in range(count):
            name, content = spoilt(index, random.Random(f'{seed} {index}'))
            path = Path(folder) / name
            path.write_bytes(content)
            began_s = time.process_time()
            found = _guarded(lambda path=path: examine(path, Path(folder) / 'copy.json'))
            longest_s = max(longest_s, time.process_time() - began_s)
            figures.update(found or ['good'])
            if found:
                (out / f'{index}_{name}').write_bytes(content)
                print(f'{index}: {", ".join(found)}', flush=True)
    bad = sum(number for kind, number in figures.items() if kind != 'good')
    print(f'{count} files: {dict(figures)}, longest {longest_s:.2f} s of the processor'
          + (f'; see {out}' if bad else ''))
    return bad


def _guarded(examine_it: Callable[[], List[str]]) -> List[str]:
    """Returns what was found, a traceback or a hang among it."""
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.alarm(WALL_LIMIT_S)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            return examine_it()
    except Hang:
        return ['hang']
    except Exception:
        return [f'traceback: {traceback.format_exc().splitlines()[-1]}']
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.alarm(0)


if __name__ == '__main__':
    arguments = campaign_parser(__doc__, 'where files that were judged wrongly are left', n=3000,
                                what='files').parse_args()
    sys.exit(1 if run(arguments.n, arguments.seed, arguments.out) else 0)
