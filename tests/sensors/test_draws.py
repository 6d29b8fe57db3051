"""No sample of a training is augmented twice alike, whatever draws it; two trainings draw the same."""
import pickle
from types import SimpleNamespace
from typing import Any, List

import numpy as np
import pytest
from mmengine.dataset import (BaseDataset, ClassBalancedDataset, ConcatDataset, DefaultSampler,
                              InfiniteSampler, RepeatDataset)
from torch.utils.data import DataLoader, Dataset, Sampler

from geminifusion3d.sensors import GeminiEpochHook
from geminifusion3d.sensors.draws import (CountedDraws, CountedSampler, Draw, draw_key, passes_before,
                                          seeded_generators)


class Keyframes(BaseDataset):
    """Three keyframes; a sample is its index, its pass, and a random number that stands for augmentation."""

    METAINFO = dict(classes=('toy',))

    def __init__(self) -> None:
        super().__init__(lazy_init=True)

    def __len__(self) -> int:
        return 3

    def get_cat_ids(self, index: int) -> List[int]:
        return [int(index == 0)]

    def full_init(self) -> None:
        """Nothing to read."""

    def __getitem__(self, index: int) -> tuple:
        with seeded_generators(draw_key(5, 0, index, 0)):
            return index, passes_before(), float(np.random.rand())


class Twice(Sampler):
    """Draws each index twice."""

    def __iter__(self) -> Any:
        return iter([0, 0, 1, 1, 2, 2])

    def __len__(self) -> int:
        return 6


def drawn(dataset: Dataset, sampler: Any, *, count: int, by_epoch: bool, workers: int = 0) -> List[tuple]:
    """Returns the first samples of a loader; starts anew where it ends, as a loop of iterations does."""
    sampler = CountedSampler(sampler)
    sampler.by_epoch = by_epoch
    loader = DataLoader(CountedDraws(dataset), sampler=sampler, batch_size=1, num_workers=workers,
                        collate_fn=lambda samples: samples[0])
    found: List[tuple] = []
    while len(found) < count:
        for sample in loader:
            found.append(sample)
            if len(found) == count:
                break
    return found


def in_order(dataset: Dataset) -> DefaultSampler:
    return DefaultSampler(dataset, shuffle=False)


def repeat() -> RepeatDataset:
    return RepeatDataset(Keyframes(), times=3)


@pytest.mark.parametrize('make_dataset, make_sampler, count, by_epoch', [
    (repeat, lambda dataset: DefaultSampler(dataset, shuffle=True, seed=1), 9, True),
    (lambda: ConcatDataset([Keyframes(), Keyframes()]), in_order, 6, True),
    (lambda: ClassBalancedDataset(Keyframes(), oversample_thr=2.0), in_order, 4, True),
    (Keyframes, lambda dataset: Twice(), 6, True),
    (Keyframes, lambda dataset: InfiniteSampler(dataset, seed=1), 9, False),
    (Keyframes, lambda dataset: DefaultSampler(dataset, shuffle=True, seed=1), 9, False),
    (repeat, lambda dataset: InfiniteSampler(dataset, seed=1), 18, False)],
    ids=['repeat', 'concat', 'class-balanced', 'twice', 'infinite', 'restarted', 'repeat-infinite'])
def test_every_draw_is_augmented_anew(
        make_dataset: Any, make_sampler: Any, count: int, by_epoch: bool) -> None:
    runs = []
    for workers in (0, 2):
        dataset = make_dataset()
        runs.append(drawn(dataset, make_sampler(dataset), count=count, by_epoch=by_epoch, workers=workers))
    numbers = [number for _, _, number in runs[0]]
    assert len(numbers) == count == len(set(numbers))
    # Not the order of the workers decides.
    assert runs[0] == runs[1]


def test_a_plain_epoch_is_seeded_by_seed_epoch_and_index_alone() -> None:
    plain = [Keyframes()[index] for index in range(3)]
    assert drawn(Keyframes(), DefaultSampler(Keyframes(), shuffle=False), count=3, by_epoch=True) == plain


def test_passes_of_a_training_by_iterations_are_its_epochs() -> None:
    found = drawn(Keyframes(), InfiniteSampler(Keyframes(), shuffle=False), count=9, by_epoch=False)
    assert [passes for _, passes, _ in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [index for index, _, _ in found] == [0, 1, 2] * 3


def test_a_draw_is_an_index_that_reaches_a_worker_whole() -> None:
    draw = pickle.loads(pickle.dumps(Draw(4, 2, 1)))
    assert (draw, draw.passes, draw.occurrence) == (4, 2, 1) and list(range(5))[draw] == 4


class _Dataset:
    epoch = None

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def runner_with(dataset: object) -> SimpleNamespace:
    return SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), epoch=7)


def test_the_epoch_reaches_a_wrapped_dataset():
    dataset = _Dataset()
    wrapped = SimpleNamespace(dataset=SimpleNamespace(dataset=dataset))
    GeminiEpochHook().before_train_epoch(runner_with(wrapped))
    assert dataset.epoch == 7


def test_a_dataset_that_knows_no_epoch_is_named():
    with pytest.raises(ValueError, match='list has no set_epoch'):
        GeminiEpochHook().before_train_epoch(runner_with([]))
