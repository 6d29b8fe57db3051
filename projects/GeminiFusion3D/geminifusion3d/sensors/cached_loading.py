"""Loading steps that run once a keyframe: what they set is kept in a file and read from then on.

Decoding six JPEG files and moving several sweeps costs more than a training step of a small model.
The steps must draw nothing at random; augmentation comes after this transform.
"""
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple
from zipfile import BadZipFile

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet3d.registry import TRANSFORMS
from mmdet3d.structures import LiDARPoints

from ..atomic import atomic_write

STAMP = 'stamp'
# How a value that is no array becomes one, and what it is again after reading.
ARRAY, LIST, TUPLE, POINTS = 'array', 'list', 'tuple', 'points'


@TRANSFORMS.register_module()
class GeminiCachedLoading(BaseTransform):
    """Runs other transforms, or reads what they made of the same files before.

    Files are written whole or not at all, so that several trainings may share a folder. A keyframe
    whose sensor files changed is loaded anew.

    Args:
        steps: the transforms to run, as configs.
        folder: where the files go, one folder below it for each choice of steps.
    """

    def __init__(self, *, steps: Sequence[Dict[str, Any]], folder: str) -> None:
        self.steps = [TRANSFORMS.build(step) for step in steps]
        digest = hashlib.sha256(json.dumps(list(steps), sort_keys=True, default=list).encode())
        self.folder = Path(folder) / digest.hexdigest()[:12]

    def transform(self, results: Dict[str, Any]) -> Dict[str, Any]:
        """Loads a keyframe.

        Args:
            results: holds `token` and what the steps need.
        """
        path, stamp = self.folder / f'{results["token"]}.npz', _stamp(results)
        kept = _read(path, stamp)
        if kept is None:
            loaded = dict(results)
            for step in self.steps:
                loaded = step(loaded)
            kept = {key: value for key, value in loaded.items() if value is not results.get(key)}
            _write(path, stamp, kept)
        return {**results, **kept}


def _stamp(results: Dict[str, Any]) -> np.ndarray:
    """Returns size and time of change of the keyframe's files."""
    paths = [image['img_path'] for image in results.get('images', {}).values()]
    if 'lidar_sweeps' in results:
        paths.append(results['lidar_points']['lidar_path'])
    stats = [Path(path).stat() for path in paths if Path(path).exists()]
    return np.array([(stat.st_size, stat.st_mtime_ns) for stat in stats], dtype=np.int64)


def _write(path: Path, stamp: np.ndarray, kept: Dict[str, Any]) -> None:
    """Keeps values as arrays whose names begin with their kind."""
    arrays = dict([_encoded(key, value) for key, value in kept.items()])
    with atomic_write(path) as part, part.open('wb') as file:
        np.savez(file, **{STAMP: stamp}, **arrays)


def _read(path: Path, stamp: np.ndarray) -> 'Dict[str, Any] | None':
    """Returns the kept values; None where there are none of these very files."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if not np.array_equal(arrays[STAMP], stamp):
                return None
            return dict([_decoded(name, arrays[name]) for name in arrays.files if name != STAMP])
    except (OSError, ValueError, KeyError, BadZipFile):
        return None


def _encoded(key: str, value: Any) -> Tuple[str, np.ndarray]:
    """Returns one value as an array, its kind before its name."""
    if isinstance(value, LiDARPoints):
        return f'{POINTS}.{key}', value.tensor.numpy()
    for kind, python_type in ((LIST, list), (TUPLE, tuple)):
        if isinstance(value, python_type):
            return f'{kind}.{key}', np.array(value)
    if isinstance(value, np.ndarray):
        return f'{ARRAY}.{key}', value
    raise ValueError(f'cannot keep {key}, a {type(value).__name__}; expected an array, a list of '
                     'arrays, a tuple or points: leave the step that sets it out of `steps`')


def _decoded(name: str, array: np.ndarray) -> Tuple[str, Any]:
    """Undoes `_encoded`."""
    kind, _, key = name.partition('.')
    if kind == POINTS:
        return key, LiDARPoints(array, points_dim=array.shape[1])
    values: Dict[str, Any] = {LIST: _as_list, TUPLE: _as_tuple}
    return key, values.get(kind, np.asarray)(array)


def _as_list(array: np.ndarray) -> List[np.ndarray]:
    return list(array)


def _as_tuple(array: np.ndarray) -> Tuple[Any, ...]:
    return tuple(array.tolist())
