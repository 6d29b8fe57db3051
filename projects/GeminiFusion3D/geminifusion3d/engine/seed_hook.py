"""Random numbers that depend on the seed and the iteration alone."""
import random
from typing import Any, Optional, Sequence

import numpy as np
import torch
from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

EPOCH_STREAM, ITERATION_STREAM = 0, 1


def seed_everything(*entropy: int) -> None:
    """Seeds python's, numpy's and torch's global generators from several whole numbers.

    Args:
        *entropy: non-negative numbers; each combination gives an independent stream.
    """
    state = np.random.SeedSequence(entropy).generate_state(3)
    random.seed(int(state[0]))
    np.random.seed(int(state[1]))
    torch.manual_seed(int(state[2]))


@HOOKS.register_module()
class GeminiSeedHook(Hook):
    """Seeds every iteration from (seed, iteration, rank).

    mmengine seeds once, at the start; a resumed run would then see other random numbers than an
    uninterrupted one, and so would a run with another validation interval.
    """

    priority = 'VERY_HIGH'

    def before_train_epoch(self, runner: Runner) -> None:
        """Seeds what the data loader draws when it starts an epoch."""
        seed_everything(EPOCH_STREAM, runner.seed, runner.epoch, runner.rank)

    def before_train_iter(self, runner: Runner, batch_idx: int,
                          data_batch: Optional[Sequence[Any]] = None) -> None:
        """Seeds what the model draws in this iteration."""
        seed_everything(ITERATION_STREAM, runner.seed, runner.iter, runner.rank)
