"""Loading steps that run once per keyframe: what they set is written to a file and read from then on.

Decoding six JPEG files and moving several sweeps costs more than a training step of a small model.
The steps must draw nothing at random; augmentation comes after this transform.
"""
import hashlib
import io
import json
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints

from ..atomic import atomic_write

STAMP = 'stamp'
# How a value becomes arrays, and what it is again after reading.
ARRAY, LIST, PLAIN, POINTS, COLUMNS = 'array', 'list', 'plain', 'points', 'columns'
DIGEST_BYTES = 32
# What loading reads of a record.
RECORD_KEYS = ('images', 'lidar_points', 'lidar_sweeps', 'radars', 'timestamp_us', 'lidar2ego', 'ego2global')


@TRANSFORMS.register_module()
class GeminiCachedLoading(BaseTransform):
    """Runs other transforms, or reads what they made of the same files before.

    Files are written whole or not at all, so that several trainings may share a folder, and begin with a
    SHA-256 of the rest. A keyframe whose sensor files changed, or whose own file is damaged, is loaded anew.

    Args:
        steps: the transforms to run, as configs.
        folder: where the files go, one folder below it per choice of steps.
    """

    def __init__(self, *, steps: Sequence[Dict[str, Any]], folder: str) -> None:
        self.steps = [TRANSFORMS.build(step) for step in steps]
        digest = hashlib.sha256(json.dumps(list(steps), sort_keys=True, default=list).encode())
        self.folder = Path(folder) / digest.hexdigest()[:12]

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads a keyframe."""
        path, stamp = self._path(results['token']), _stamp(results)
        kept = _read(path, stamp)
        if kept is None:
            loaded = dict(results)
            for step in self.steps:
                loaded = step(loaded)
            kept = {key: value for key, value in loaded.items() if value is not results.get(key)}
            _write(path, stamp, kept)
        return {**results, **kept}

    def _path(self, token: str) -> Path:
        """A token is text from a table: its digest names the file, in one of 256 folders."""
        name = hashlib.sha256(str(token).encode()).hexdigest()[:32]
        return self.folder / name[:2] / f'{name}.kept'


def without_cache(steps: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """Returns a pipeline with cached steps in the open: nothing of its samples is kept on disk."""
    return [inner for step in steps
            for inner in (step['steps'] if step.get('type') == GeminiCachedLoading.__name__ else [step])]


def _stamp(results: Dict[str, Any]) -> np.ndarray:
    """Returns size and time of change of the keyframe's files, and a check sum of its record."""
    paths = [image['img_path'] for image in results.get('images', {}).values() if image['img_path']]
    if 'lidar_sweeps' in results:
        paths += [part['lidar_points']['lidar_path'] for part in (results, *results['lidar_sweeps'])]
    paths += [shot['radar_path'] for shots in results.get('radars', {}).values() for shot in shots]
    stats = [Path(path).stat() for path in paths if Path(path).exists()]
    # A conversion with other calibrations leaves the files as they are.
    record = json.dumps({key: results[key] for key in RECORD_KEYS if key in results}, default=str)
    return np.array([(stat.st_size, stat.st_mtime_ns) for stat in stats] + [(zlib.crc32(record.encode()), 0)],
                    dtype=np.int64)


def _write(path: Path, stamp: np.ndarray, kept: Dict[str, Any]) -> None:
    """Keeps values as arrays whose names begin with their kind."""
    arrays = dict(pair for key, value in kept.items() for pair in _encoded(key, value))
    buffer = io.BytesIO()
    np.savez(buffer, **{STAMP: stamp}, **arrays)
    data = buffer.getbuffer()
    with atomic_write(path, sync=False) as part, part.open('wb') as file:
        file.write(hashlib.sha256(data).digest())
        file.write(data)


def _read(path: Path, stamp: np.ndarray) -> 'Dict[str, Any] | None':
    """Returns the kept values; None where there are none of these very files."""
    try:
        content = memoryview(path.read_bytes())
    except OSError:
        return None
    data = content[DIGEST_BYTES:]
    if content[:DIGEST_BYTES] != hashlib.sha256(data).digest():
        return None
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        if not np.array_equal(arrays[STAMP], stamp):
            return None
        kept: Dict[str, Any] = {}
        for name in arrays.files:
            kind, _, key = name.partition('.')
            if kind == LIST:
                kept.setdefault(key.rpartition('.')[0], []).append(arrays[name])
            elif kind == PLAIN:
                value = json.loads(str(arrays[name]))
                kept[key] = tuple(value) if isinstance(value, list) else value
            elif kind == POINTS:
                kept[key] = LiDARPoints(arrays[name], points_dim=arrays[name].shape[1])
            elif kind == COLUMNS:
                kept[key].attribute_dims = json.loads(str(arrays[name]))
            elif name != STAMP:
                kept[key] = arrays[name]
        return kept


def _encoded(key: str, value: Any) -> Iterator[Tuple[str, np.ndarray]]:
    """Yields the arrays of one value, its kind before its name."""
    if isinstance(value, LiDARPoints):
        yield f'{POINTS}.{key}', value.tensor.numpy()
        if value.attribute_dims:
            yield f'{COLUMNS}.{key}', np.array(json.dumps(value.attribute_dims))
    elif isinstance(value, np.ndarray):
        yield f'{ARRAY}.{key}', value
    elif isinstance(value, list) and all(isinstance(item, np.ndarray) for item in value):
        # One by one: cameras may differ in size.
        yield from ((f'{LIST}.{key}.{index}', item) for index, item in enumerate(value))
    elif isinstance(value, (tuple, int, float, str)):
        yield f'{PLAIN}.{key}', np.array(json.dumps(value))
    else:
        raise ValueError(f'cannot keep {key}, a {type(value).__name__}; expected an array, a list of '
                         'arrays, a tuple, a number or points: leave the step that sets it out of `steps`')
