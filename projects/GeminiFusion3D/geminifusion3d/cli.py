"""How every command line tool starts: one clear line for a mistake, no traceback, honest exit codes."""
import atexit
import os
import sys
from pathlib import Path
from typing import Callable, NoReturn, Optional

from .errors import UserError

EXIT_COULD_NOT_RUN = 2
EXIT_INTERRUPTED = 130
PACKAGE = Path(__file__).resolve().parent

_skips_finalisation = False


def skip_finalisation() -> None:
    """Makes `run_cli` end this process right after its exit handlers.

    For whoever started threads that nothing stops: those of gloo outlive their process group, and now
    and then abort a process that has done its work ('terminate called without an active exception').
    """
    global _skips_finalisation
    _skips_finalisation = True


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
    """Runs a tool's main function and exits with its code.

    Args:
        main: parses the arguments and does the work; returns an exit code or None for 0.

    Exits with 2 after `error: ...` on stderr for a UserError, with 130 after Ctrl-C.
    """
    warn_of_other_checkout(Path(sys.argv[0]))
    try:
        code = main() or 0
    except UserError as error:
        print(f'error: {error}', file=sys.stderr)
        code = EXIT_COULD_NOT_RUN
    except KeyboardInterrupt:
        print('interrupted: finished parts are kept, the same command continues', file=sys.stderr)
        code = EXIT_INTERRUPTED
    if _skips_finalisation:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
