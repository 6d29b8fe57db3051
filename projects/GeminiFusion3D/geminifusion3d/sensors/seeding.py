"""Randomness that belongs to a sample: the same for any number of workers, new in every epoch.

A worker's own random stream depends on which samples it happens to serve. Here each sample's
pipeline runs with the global generators seeded by (seed, epoch, index), mmdet3d's transforms
included, and the generators are put back afterwards, so that the model's own randomness does not
notice. A sample that is drawn again in an epoch, and one of a training by iterations, adds its draw.
"""
import random
from contextlib import contextmanager
from typing import Iterator, Tuple

import numpy as np
import torch


@contextmanager
def seeded_generators(key: Tuple[int, ...]) -> Iterator[None]:
    """Seeds the generators of `random`, numpy and torch (CPU) from `key`; restores them later.

    Args:
        key: non-negative integers, such as those of `draws.draw_key`.
    """
    python_seed, numpy_seed, torch_seed = np.random.SeedSequence(key).generate_state(3).tolist()
    python_state, numpy_state = random.getstate(), np.random.get_state()
    torch_state = torch.get_rng_state()
    try:
        random.seed(python_seed)
        np.random.seed(numpy_seed)
        # torch.manual_seed would also reseed an accelerator, which has no part in loading.
        torch.default_generator.manual_seed(torch_seed)
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
        torch.set_rng_state(torch_state)
