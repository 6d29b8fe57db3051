"""Which draw of a training a sample belongs to, through any sampler and any dataset wrapper.

A wrapper such as mmengine's RepeatDataset hands only an index of its own dataset on, and a sampler may draw
an index twice: both would be augmented as before. Here the sampler counts, its indices carry the count to
the loading worker, and the dataset asks for it below any wrapper.
"""
import random
from collections import Counter
from contextlib import contextmanager
from typing import Any, Callable, Iterator, Optional, Tuple

import numpy as np
import torch
from mmdet3d.registry import HOOKS
from mmengine.dataset import InfiniteSampler
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch.utils.data import Dataset, Sampler


class Draw(int):
    """An index that knows when it was drawn.

    Attributes:
        passes: how often the whole dataset was gone through before, where iterations are the clock; else 0.
        occurrence: how often the index was drawn before in this pass.
    """

    passes: int
    occurrence: int

    def __new__(cls, index: int, passes: int, occurrence: int) -> 'Draw':
        """Returns the index with what it knows."""
        draw = super().__new__(cls, index)
        draw.passes, draw.occurrence = passes, occurrence
        return draw

    def __reduce__(self) -> Tuple[Any, ...]:
        return Draw, (int(self), self.passes, self.occurrence)


_current: Optional[Draw] = None


@contextmanager
def _drawing(draw: int) -> Iterator[None]:
    global _current
    before, _current = _current, draw if isinstance(draw, Draw) else None
    try:
        yield
    finally:
        _current = before


def passes_before() -> int:
    """Returns how many passes lie before the sample that is being loaded, where iterations are the clock."""
    return _current.passes if _current is not None else 0


def drawn_as(index: int) -> Tuple[int, ...]:
    """Returns what tells this draw of a keyframe from others of the pass; nothing for a plain first draw."""
    if _current is None or (int(_current), _current.occurrence) == (index, 0):
        return ()
    return int(_current), _current.occurrence


def draw_key(seed: int, epoch: int, index: int, repetition: int) -> Tuple[int, ...]:
    """Returns what all randomness of a sample that is being loaded depends on.

    Args:
        seed: of the dataset.
        epoch: that a hook gave the dataset.
        index: of the keyframe in its own dataset.
        repetition: how often the dataset itself drew the keyframe before in this epoch.
    """
    return (seed, epoch + passes_before(), index, repetition, *drawn_as(index))


class Around:
    """Stands for what it holds; all that it does not do itself is the other's."""

    held = ''

    def __len__(self) -> int:
        """Returns the length of what it holds."""
        return len(getattr(self, self.held))

    def __getattr__(self, name: str) -> Any:
        if name == self.held:
            raise AttributeError(name)
        return getattr(getattr(self, self.held), name)

    def __deepcopy__(self, memo: Any) -> 'Around':
        """Returns itself: mmengine copies a loader's config, not what is built already."""
        return self


class CountedSampler(Around, Sampler):
    """Yields a sampler's indices as draws; everything else is the sampler's.

    Args:
        sampler: any sampler.
    """

    held = 'sampler'

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler
        # Set by the runner: whether a hook tells the dataset its epoch, or the passes are counted here.
        self.by_epoch = True
        self.is_infinite = isinstance(sampler, InfiniteSampler)
        self._rounds, self._drawn = -1, 0

    def __iter__(self) -> Iterator[Draw]:
        """Yields one pass, or all of them where the sampler never ends."""
        self._rounds += 1
        passes, counts = -1, Counter()
        for index in self.sampler:
            # An infinite sampler's permutations are dealt out to the processes in turn.
            now = self._drawn * get_world_size() // len(self.sampler) if self.is_infinite else self._rounds
            self._drawn += 1
            if now != passes:
                passes, counts = now, Counter()
            yield Draw(index, 0 if self.by_epoch else passes, counts[index])
            counts[index] += 1


class CountedDraws(Around, Dataset):
    """Loads samples so that the datasets inside know the draw; everything else is the dataset's.

    Args:
        dataset: any dataset, wrapped as it may be.
    """

    held = 'dataset'

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> Any:
        """Returns the sample of an index or a draw."""
        with _drawing(index):
            return self.dataset[int(index)]


@contextmanager
def seeded_generators(key: Tuple[int, ...]) -> Iterator[None]:
    """Seeds the generators of `random`, numpy and torch (CPU) from `key`; restores them later.

    So randomness belongs to a sample: the same for any number of workers, whose own random streams depend on
    which samples they happen to serve, new in every epoch, and unnoticed by the model's own.

    Args:
        key: non-negative integers, such as those of `draw_key`.
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


@HOOKS.register_module()
class GeminiEpochHook(Hook):
    """Calls `set_epoch` of the training dataset, through any wrappers, before each epoch."""

    def before_train_epoch(self, runner: Runner) -> None:
        """Passes the epoch on.

        Args:
            runner: the running training.

        Raises:
            ValueError: if no dataset of the chain knows `set_epoch`.
        """
        found = list(innermost(runner.train_dataloader.dataset, lambda one: hasattr(one, 'set_epoch')))
        if not found:
            raise ValueError(f'{type(runner.train_dataloader.dataset).__name__} has no set_epoch; expected a '
                             'GeminiNuScenesDataset, wrapped or not; remove GeminiEpochHook from '
                             'the hooks or change the dataset')
        for dataset in found:
            dataset.set_epoch(runner.epoch)


def innermost(dataset: Any, is_wanted: Callable[[Any], bool]) -> Iterator[Any]:
    """Yields the datasets below any wrappers that are wanted, and nothing below those."""
    if is_wanted(dataset):
        yield dataset
        return
    for part in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
        if part is not None:
            yield from innermost(part, is_wanted)
