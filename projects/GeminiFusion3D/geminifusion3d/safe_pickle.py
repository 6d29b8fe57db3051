"""Reads info files, which are pickles of data, without executing any code from the file.

The numbers and arrays of numpy that mmdet3d's info files hold are rebuilt here from their bytes; numpy's
own functions for that are never handed anything from the file but a plain type, a shape and bytes.
"""
import io
import pickle
from pathlib import Path
from typing import Any, Tuple, Union

import numpy as np

from .errors import UserError

REMEDY = 'write it again with gemini3d convert'
DAMAGES = (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError, ValueError,
           OverflowError, MemoryError, RecursionError, SystemError)
# bool, integers, floats and text; nothing that holds references to objects.
_KINDS = 'biufSU'


class _Type:
    """Stands for a numpy type: its name, then its byte order."""

    dtype = np.dtype(float)

    def __init__(self, name: Any, *_: Any) -> None:
        self.dtype = np.dtype(str(name))
        if self.dtype.kind not in _KINDS:
            raise UserError(
                f'the file holds numpy values of type {name!r}; expected numbers, booleans and text')

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        if state[1] in ('<', '>', '|', '='):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for a numpy array; `_plain` puts a list in its place."""

    array = np.zeros(0)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: Tuple[Any, ...]) -> None:
        _, shape, kind, is_fortran, data = state
        if not isinstance(kind, _Type) or not isinstance(data, bytes):
            raise UserError('the file holds an array of objects; expected numbers')
        shape = tuple(int(side) for side in shape)
        self.array = np.frombuffer(data, kind.dtype).reshape(shape, order='F' if is_fortran else 'C')


def _scalar(kind: _Type, data: bytes) -> Any:
    values = np.frombuffer(data, kind.dtype)
    if len(values) != 1:
        raise ValueError(f'{len(data)} bytes are not one {kind.dtype}')
    return values[0].item()


def _encode(text: str, encoding: str) -> bytes:
    if encoding != 'latin1':
        raise ValueError(f'bytes encoded as {encoding!r}')
    return text.encode('latin1')


_REBUILDERS = {('numpy', 'dtype'): _Type, ('numpy', 'ndarray'): _Array, ('_codecs', 'encode'): _encode}
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    _REBUILDERS[_module, 'scalar'] = _scalar
    _REBUILDERS[_module, '_reconstruct'] = _Array


class _DataUnpickler(pickle.Unpickler):
    """Refuses every name that a pickle asks to import, but for those that numbers of numpy need."""

    has_arrays = False

    def find_class(self, module: str, name: str) -> Any:
        """Called for each global that the file wants.

        Args:
            module: of the global.
            name: of the global.

        Raises:
            UserError: for all that is not data.
        """
        self.has_arrays = True
        found = _REBUILDERS.get((module, name))
        if found is None:
            raise UserError(f'the file asks for {module}.{name}; expected plain data only, so neither this '
                            f'project nor mmdet3d wrote it; {REMEDY}')
        return found


def _plain(value: Any) -> Any:
    """Puts lists in the place of arrays, at any depth, in the containers themselves."""
    if isinstance(value, _Array):
        return value.array.tolist()
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list, tuple, _Array)):
                value[key] = _plain(item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, (dict, list, tuple, _Array)):
                value[index] = _plain(item)
    elif isinstance(value, tuple):
        return tuple([_plain(item) for item in value])
    return value


def loads_data(data: bytes, *, name: str) -> Any:
    """Loads a pickle of plain containers and values; arrays become lists, numpy's numbers plain ones.

    Args:
        data: the pickle; what stands behind its end is not read.
        name: what it is, for messages.

    Raises:
        UserError: if it is damaged or holds anything that needs code.
    """
    try:
        unpickler = _DataUnpickler(io.BytesIO(data))
        content = unpickler.load()
        return _plain(content) if unpickler.has_arrays else content
    except UserError as error:
        raise UserError(f'{name}: {error}') from error
    except DAMAGES as error:
        raise UserError(f'{name} is damaged or no pickle ({error}); {REMEDY}') from error


def load_plain_pickle(path: Union[str, Path]) -> Any:
    """Loads a file that holds such a pickle.

    Args:
        path: of the file.

    Raises:
        UserError: if the file is missing, damaged or holds anything that needs code.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f'cannot read {path} ({error.strerror}); write it with gemini3d convert') from error
    return loads_data(data, name=str(path))
