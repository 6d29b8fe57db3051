"""The one exception that a user's mistake raises: its text alone is shown, never a traceback."""


class UserError(ValueError):
    """Something the user can mend; the message says what was got, what was expected and what to do."""
