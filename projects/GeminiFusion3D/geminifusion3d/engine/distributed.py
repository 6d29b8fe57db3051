"""Several processes on machines without a GPU: mmengine's launchers, with gloo in place of nccl.

mmengine 0.10.7 (mmengine/dist/utils.py `init_dist`) selects the CUDA device of the process' local rank.
`torch.cuda.set_device` does nothing for a negative one, which is what it reads here where there is no
CUDA device; everything else (the variables of torchrun, SLURM and MPI) stays mmengine's.
"""
import gc
import os
from typing import Any, Mapping

import torch
from mmengine.dist import init_dist

from ..cli import skip_finalisation
from ..errors import UserError

LOCAL_RANK_VARIABLES = dict(pytorch='LOCAL_RANK', slurm='SLURM_LOCALID', mpi='OMPI_COMM_WORLD_LOCAL_RANK')


def runs_on_gpu() -> bool:
    """Says whether this process trains on a CUDA device."""
    return torch.cuda.is_available() and torch.cuda.device_count() > 0


def start_process_group(launcher: str, dist_cfg: Mapping[str, Any]) -> None:
    """Joins the process group: nccl (or the configured backend) on GPUs, gloo on CPUs.

    Args:
        launcher: 'pytorch', 'slurm' or 'mpi', as in `mmengine.dist.init_dist`.
        dist_cfg: backend and timeout, as in the config's `env_cfg.dist_cfg`.

    Raises:
        UserError: if a launcher's variables are absent, or there are fewer GPUs than processes.
    """
    skip_finalisation()
    try:
        if runs_on_gpu():
            _check_device_count()
            init_dist(launcher, **dist_cfg)
        else:
            _start_on_cpu(launcher, {**dist_cfg, 'backend': 'gloo'})
    except KeyError as error:
        raise UserError(f'--launcher {launcher} needs the variable {error} of its launcher: start '
                        f'with tools/dist_train.sh or slurm_train.sh, or leave --launcher out'
                        ) from error


def _start_on_cpu(launcher: str, dist_cfg: Mapping[str, Any]) -> None:
    variable = LOCAL_RANK_VARIABLES[launcher]
    local_rank = os.environ[variable]
    os.environ[variable] = '-1'
    try:
        init_dist(launcher, **dist_cfg)
    finally:
        os.environ[variable] = os.environ['LOCAL_RANK'] = local_rank


def leave_process_group() -> None:
    """Ends the process group, if there is one.

    The model stays in memory: to free it would join gloo's thread while holding the interpreter's lock,
    for which that thread may be waiting to free the last gradient.
    """
    if torch.distributed.is_initialized():
        gc.freeze()
        torch.distributed.destroy_process_group()


def _check_device_count() -> None:
    """Refuses more processes on this machine than it has GPUs."""
    local_rank = int(os.environ.get('LOCAL_RANK', 0))
    if local_rank >= torch.cuda.device_count():
        raise UserError(f'process {local_rank} of this machine has no GPU, '
                        f'{torch.cuda.device_count()} visible: ask for that many processes, or '
                        f'hide all GPUs (CUDA_VISIBLE_DEVICES=-1) to run on the CPU')
