"""Tells the training dataset which epoch it serves, so that each epoch is augmented anew."""
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
        dataset = runner.train_dataloader.dataset
        while not hasattr(dataset, 'set_epoch') and hasattr(dataset, 'dataset'):
            dataset = dataset.dataset
        if not hasattr(dataset, 'set_epoch'):
            raise ValueError(f'{type(dataset).__name__} has no set_epoch; expected a '
                             'GeminiNuScenesDataset, wrapped or not; remove GeminiEpochHook from '
                             'the hooks or change the dataset')
        dataset.set_epoch(runner.epoch)
