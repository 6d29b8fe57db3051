"""Reads info files, which are pickles of plain data, without executing any code from the file."""
import pickle
from pathlib import Path
from typing import Any, NoReturn, Union

from .errors import UserError


class _PlainUnpickler(pickle.Unpickler):
    """Refuses every name that a pickle asks to import: only plain containers and values remain."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Called for each global that the file wants.

        Raises:
            UserError: always.
        """
        raise UserError(f'the file asks for {module}.{name}; expected plain data only, so it was '
                        'not written by this project; convert the dataset again with '
                        'tools/create_data.py')


def load_plain_pickle(path: Union[str, Path]) -> Any:
    """Loads a pickle of dicts, lists, strings, numbers, booleans and None.

    Raises:
        UserError: if the file is missing, damaged or holds anything that needs code.
    """
    try:
        with Path(path).open('rb') as file:
            return _PlainUnpickler(file).load()
    except OSError as error:
        raise UserError(f'cannot read {path} ({error.strerror}); write it with '
                        'tools/create_data.py') from error
    except UserError as error:
        raise UserError(f'{path}: {error}') from error
    except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, KeyError, TypeError,
            ValueError, OverflowError, MemoryError) as error:
        raise UserError(f'{path} is damaged or no pickle ({error}); write it again with '
                        'tools/create_data.py') from error
