"""Tells the training dataset which epoch it serves, so that each epoch is augmented anew."""
from typing import Any, Iterator

from mmdet3d.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


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
        found = list(_with_epochs(runner.train_dataloader.dataset))
        if not found:
            raise ValueError(f'{type(runner.train_dataloader.dataset).__name__} has no set_epoch; expected a '
                             'GeminiNuScenesDataset, wrapped or not; remove GeminiEpochHook from '
                             'the hooks or change the dataset')
        for dataset in found:
            dataset.set_epoch(runner.epoch)


def _with_epochs(dataset: Any) -> Iterator[Any]:
    """Yields the datasets below any wrappers that know epochs."""
    if hasattr(dataset, 'set_epoch'):
        yield dataset
        return
    inner = getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]
    for part in inner:
        if part is not None:
            yield from _with_epochs(part)
