"""Turns the host's errors about a config into one sentence; others keep their traceback."""
import difflib
import re
from contextlib import contextmanager
from typing import Iterator, Optional

from ..errors import UserError
from .registered import registered_names

NOT_REGISTERED = re.compile(r'(\S+) is not in the (\S+?)::(.+?) registry')
BUILD_ERROR = re.compile(r'(?:class|cls) `(\w+)` in \S+: (.*)', re.DOTALL)
WRONG_ARGUMENTS = re.compile(r'(\w+)\.__init__\(\) (got an unexpected keyword argument \S+'
                             r'|missing \d+ required .*)', re.DOTALL)


@contextmanager
def config_mistakes(config: str) -> Iterator[None]:
    """Reports an unknown type or argument of the config as the user's mistake.

    Args:
        config: the config's path, for the message.

    Raises:
        UserError: in place of the host's KeyError or TypeError.
    """
    try:
        yield
    except UserError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        message = _explain(' '.join(str(error.args[0] if error.args else '').split()))
        if message is None:
            raise
        raise UserError(f'config {config}: {message}') from error


def _explain(text: str) -> Optional[str]:
    """Returns what is wrong with the config, or None if the error is of another kind."""
    unknown = NOT_REGISTERED.search(text)
    if unknown:
        name, kind = unknown.group(1), unknown.group(3)
        close = difflib.get_close_matches(name, registered_names(kind))
        hint = f'did you mean {" or ".join(close)}?' if close else (
            'correct the name, or import the module that registers it with custom_imports')
        return f"type={name!r} is no registered {kind}: {hint}"
    wrong = WRONG_ARGUMENTS.search(text)
    if wrong:
        return f'{wrong.group(1)} {wrong.group(2)}: correct the keys of type={wrong.group(1)!r}'
    built = BUILD_ERROR.search(text)
    return f'type={built.group(1)!r}: {built.group(2)}' if built else None
