"""The hook reaches the dataset through wrappers, and says when there is none to reach."""
from types import SimpleNamespace

import pytest

from geminifusion3d.sensors import GeminiEpochHook


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
