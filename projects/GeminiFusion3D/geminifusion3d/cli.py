"""How every command starts and ends: one clear line for a mistake, no traceback, honest exit codes."""
import atexit
import errno
import os
import sys
from pathlib import Path
from typing import Callable, NoReturn, Optional

from .errors import UserError

EXIT_COULD_NOT_RUN = 2
EXIT_INTERRUPTED = 130
PACKAGE = Path(__file__).resolve().parent
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)

_exit_code_without_finalisation: Optional[int] = None
_skips_finalisation = False


def skip_finalisation() -> None:
    """Makes a process of `run_cli` end right after its exit handlers.

    For whoever started threads that nothing stops: those of gloo outlive their process group, and now
    and then abort a process that has done its work ('terminate called without an active exception').
    """
    global _skips_finalisation
    _skips_finalisation = True


@atexit.register
def _end_at_once() -> None:
    """Ends the process if that was asked for: the first handler that is registered is called last."""
    if _exit_code_without_finalisation is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_exit_code_without_finalisation)


def warn_of_other_checkout(tool: Path) -> None:
    """Says on stderr when a tool of one checkout runs the package of another one.

    An environment belongs to the checkout that set it up last. Numbers of a tool would silently be those of
    code that nobody is looking at.

    Args:
        tool: file of the tool.
    """
    for folder in tool.resolve().parents:
        beside = folder / 'projects' / 'GeminiFusion3D' / PACKAGE.name
        if beside.is_dir():
            if beside != PACKAGE:
                print(f'warning: {tool} runs the package in {PACKAGE}, not {beside}; to change that, run '
                      f'`make setup` in {folder}', file=sys.stderr)
            return


def run_cli(main: Callable[[], Optional[int]]) -> NoReturn:
    """Runs a command and exits with its code.

    Args:
        main: parses the arguments and does the work; returns an exit code or None for 0.

    Exits with 2 after `error: ...` on stderr for a user's mistake, with 130 after Ctrl-C; another error
    keeps its traceback.
    """
    global _exit_code_without_finalisation
    warn_of_other_checkout(Path(sys.argv[0]))
    try:
        code = main() or 0
    except KeyboardInterrupt:
        print('\ninterrupted: what is finished stays, the same command goes on', file=sys.stderr)
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever reads, such as `head`, has read enough; nothing more can be written there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_COULD_NOT_RUN
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        sys.stdout.flush()
        print(f'error: {sentence}', file=sys.stderr)
        code = EXIT_COULD_NOT_RUN
    if _skips_finalisation:
        _exit_code_without_finalisation = code
    sys.exit(code)


def _sentence(error: BaseException) -> Optional[str]:
    """Returns the sentence for a user's mistake; None for an error of another kind."""
    if isinstance(error, UserError) or isinstance(error, ValueError) and _is_raised_here(error):
        return str(error)
    cause: Optional[BaseException] = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in FULL_DISK:
            return (f'{_place(cause)} could not be written, the disk is full; free some space and run the '
                    'same command again: what is finished stays')
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, OSError) and error.errno in NOT_ALLOWED:
        return (f'{_place(error)} may not be read or written ({error.strerror}); change its permissions, or '
                'name another place')
    return None


def _place(error: OSError) -> str:
    return str(error.filename) if error.filename else 'a file'


def _is_raised_here(error: BaseException) -> bool:
    """Whether the `raise` stands in this package or beside it, where ValueErrors have messages for users."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and PACKAGE.parent in Path(trace.tb_frame.f_code.co_filename).resolve().parents


def plural(count: int, word: str) -> str:
    """Returns a count with its word: 1 scene, 2 scenes, 1,234 boxes."""
    ending = '' if count == 1 else 'es' if word.endswith('x') else 's'
    return f'{count:,} {word}{ending}'
