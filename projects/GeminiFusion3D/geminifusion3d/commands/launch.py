"""torchrun that ends with one line: `python -m geminifusion3d.commands.launch`, same arguments.

torchrun answers a failed process with a traceback of its own, under which the sentence that the
process printed is lost, and always exits with 1. Here the exit code of the first failed process is
passed on.
"""
import logging
import sys
from typing import List, Optional

from torch.distributed import DistNetworkError, run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from ..cli import EXIT_COULD_NOT_RUN, EXIT_INTERRUPTED, run_cli
from ..errors import UserError


def launch(arguments: Optional[List[str]] = None) -> int:
    """Starts the processes and waits for them.

    Args:
        arguments: torchrun's; default: the command line.

    Returns:
        The exit code of the process that failed first, or 0.

    Raises:
        UserError: if the processes cannot connect to each other.
    """
    # The failed process has said why; torchrun's own report of it is repetition.
    logging.getLogger('torch.distributed.elastic.multiprocessing.api').setLevel(logging.CRITICAL)
    try:
        run.main(arguments)
    except (KeyboardInterrupt, SignalException):
        return EXIT_INTERRUPTED
    except DistNetworkError as error:
        reason = ' '.join(str(error).split())[:160]
        raise UserError(f'the processes cannot meet ({reason}): set PORT to a free port, and '
                        f'MASTER_ADDR and NODE_RANK as the usage says') from error
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode not in (EXIT_COULD_NOT_RUN, EXIT_INTERRUPTED):
            print(f'error: process {rank} ended with exit code {failure.exitcode} (negative: '
                  f'killed by that signal); its own output above says more', file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 1
    return 0


if __name__ == '__main__':
    run_cli(launch)
