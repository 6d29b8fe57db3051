"""Checkpoint files: read without running code from them, written whole or not at all.

A checkpoint is a pickle, and a pickle from somebody else can run any program. torch's weights-only
reader refuses everything but tensors and plain containers; mmengine's training checkpoints also
hold its `HistoryBuffer` (logged scalars) and functions of its one-cycle schedule, which are
allowed here by name. They refer to their own methods through `builtins.getattr`: in its place
stands a function that returns just those methods.

torch writes a checksum beside every record of a checkpoint, a zip archive, and does not look at it when
it reads: a flipped bit would load as another weight. Here every record is checked first.
"""
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Union

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.optim.scheduler.param_scheduler import OneCycleParamScheduler
from safetensors import safe_open

from ..errors import UserError
from ..learned_samples import LEARNED
from .checkpoint_fit import CONFIG, SETTINGS
from .download import local_copy

METHODS = {HistoryBuffer: ('min', 'max', 'current', 'mean'),
           OneCycleParamScheduler: ('_annealing_cos', '_annealing_linear')}
# Dictionaries of a checkpoint's `meta`, which stand in a `.safetensors` file as JSON.
STRUCTURED = ('dataset_meta', LEARNED, SETTINGS, CONFIG)
SCALAR_TYPES = ('bool', 'int32', 'int64', 'float32', 'float64')


def known_method(owner: type, name: str) -> Callable:
    """Stands in for `getattr` while a checkpoint is read: finds the methods of `METHODS` only.

    Args:
        owner: a class of `METHODS`.
        name: one of its methods.

    Raises:
        pickle.UnpicklingError: for any other object or name.
    """
    if isinstance(owner, type) and name in METHODS.get(owner, ()):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'the file asks for attribute {name!r} of {owner!r}')


def safe_globals() -> List[Union[type, Tuple[Any, str]]]:
    """Returns what a training checkpoint may refer to besides tensors and plain containers."""
    reconstruct, scalar = np.array(0.).__reduce__()[0], np.float64(0.).__reduce__()[0]
    numpy_functions = [(function, f'{module}.{function.__name__}')
                       for function in (reconstruct, scalar)
                       for module in ('numpy.core.multiarray', 'numpy._core.multiarray')]
    dtypes = [type(np.dtype(name)) for name in SCALAR_TYPES]
    return [*METHODS, (known_method, 'builtins.getattr'), np.ndarray, np.dtype, *numpy_functions, *dtypes]


def register_safe_globals() -> None:
    """Lets torch's weights-only reader open mmengine's training checkpoints (torch >= 2.6)."""
    torch.serialization.add_safe_globals(safe_globals())


def check_exists(path: Union[str, Path]) -> None:
    """Refuses a path where there is no file; addresses (`https://`) are looked up on reading."""
    if '://' not in str(path) and not Path(path).expanduser().is_file():
        raise UserError(f'checkpoint {path} does not exist: pass the path of a .pth file, '
                        f'as training writes them to its work directory')


def read_checkpoint(path: Union[str, Path], *, map_location: Any = 'cpu') -> Dict[str, Any]:
    """Reads a checkpoint without executing anything in it.

    Args:
        path: a local file, or an address (`https://`).
        map_location: as in `torch.load`.

    Returns:
        The checkpoint's dictionary; bare state dicts come back as they are. Of a `.safetensors` file its
        tensors, as `state_dict`, and its texts, as `meta`: what a `.pth` file's `meta` has as a dictionary is
        there as JSON.

    Raises:
        UserError: if the file is absent or out of reach, damaged, holds forbidden objects, or is no
            dictionary.
    """
    check_exists(path)
    file = local_copy(str(path)) if '://' in str(path) else Path(path).expanduser()
    register_safe_globals()
    try:
        if file.suffix == '.safetensors':
            with safe_open(file, 'pt') as tensors:
                return {'meta': {key: json.loads(text) if key in STRUCTURED else text
                                 for key, text in (tensors.metadata() or {}).items()},
                        'state_dict': {name: tensors.get_tensor(name) for name in tensors.keys()}}
        _check_sums(file)
        content = torch.load(file, map_location=map_location, weights_only=True)
    except Exception as error:  # whatever a damaged file leads to
        raise UserError(_why_unreadable(path, error)) from error
    if not isinstance(content, dict):
        raise UserError(f'checkpoint {path} holds a {type(content).__name__}, expected a '
                        f'dictionary with a state_dict: pass a .pth file that training wrote')
    return content


def _check_sums(file: Path) -> None:
    """Compares each record of a checkpoint with its checksum; says so where a file has none.

    Raises:
        zipfile.BadZipFile: if one differs.
    """
    if not zipfile.is_zipfile(file):
        print_log(f'{file} is of a format without checksums: damage in it would go '
                  'unnoticed', logger='current')
        return
    with zipfile.ZipFile(file) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise zipfile.BadZipFile(f'the checksum of its record {damaged} differs')


def _why_unreadable(path: Union[str, Path], error: Exception) -> str:
    """Says in one sentence why a checkpoint cannot be used."""
    if 'Weights only load failed' in str(error) or isinstance(error, pickle.UnpicklingError):
        reason = str(error).split('WeightsUnpickler error:')[-1].split('. Please')[0]
        reason = ' '.join(reason.split())[:160]
        return (f'checkpoint {path} is refused, nothing in it was run: it is damaged or holds '
                f'objects that are no weights ({reason}); use a file written by training')
    reason = ' '.join(str(error).split())[:160]
    return (f'checkpoint {path} cannot be read, it is damaged or incomplete ({reason}): '
            f'use another one, or train again')
