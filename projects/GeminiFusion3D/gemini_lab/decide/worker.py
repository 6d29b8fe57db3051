"""What a process of the experiment runs."""
from typing import Optional

from ..compare.train_and_score import work_on
from . import encoders  # noqa: F401  # registers the detector of stage one
from .runs import Job, produce


def work(job: Job, core: Optional[int]) -> None:
    """Makes one run.

    Args:
        job: what to do.
        core: the processor core to stay on; None leaves that to the system.
    """
    work_on(job, core, produce)
