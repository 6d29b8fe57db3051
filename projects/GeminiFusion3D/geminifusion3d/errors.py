"""The one exception that a user's mistake raises: its text alone is shown, never a traceback."""
from typing import Iterable


class UserError(ValueError):
    """Something the user can mend; the message says what was got, what was expected and what to do."""


def check_choice(name: str, value: str, known: Iterable[str]) -> str:
    """Returns a setting's value; ValueError if it is none of those that are known."""
    if value not in known:
        raise ValueError(f'got {name}={value!r}; expected one of {", ".join(known)}')
    return value
