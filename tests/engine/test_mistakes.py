"""What a user can mend ends in one sentence, wherever it was raised; an error of the program does not."""
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from mmdet3d.registry import DATASETS
from toy_training import ToyDataset, run_train, write_config

from geminifusion3d.engine.mistakes import config_mistakes
from geminifusion3d.errors import UserError


@DATASETS.register_module()
class FaultyDataset(ToyDataset):
    """Loads no sample of index 5: refuses it, breaks, or dies."""

    def __init__(self, *, fault: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fault = fault

    def __getitem__(self, index: int) -> Any:
        """Returns a sample, or does what `fault` says."""
        if index == 5:
            if self.fault == 'user':
                raise UserError('picture 5 is no picture: fetch it again')
            if self.fault == 'disk':
                raise FileNotFoundError(2, 'No such file or directory', 'samples/5.jpg')
            if self.fault == 'bug':
                raise ZeroDivisionError('division by zero')
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


def train_with(fault: str, folder: Path) -> None:
    """Trains with one loading worker."""
    dataset = dict(type='FaultyDataset', length=8, fault=fault)
    extra = f'train_dataloader.update(num_workers=1, dataset={dataset})\n'
    run_train(write_config(folder, extra=extra), folder / 'run')


@pytest.mark.parametrize('fault, sentence', [
    ('user', '^picture 5 is no picture: fetch it again$'),
    ('disk', r"^\[Errno 2\] No such file or directory: 'samples/5.jpg'$"),
    ('kill', 'a loading worker was killed, mostly because the memory was full .*--resume auto$')])
def test_a_workers_end_is_one_sentence(fault: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=sentence):
        train_with(fault, tmp_path)


def test_a_workers_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError, match='Original Traceback'):
        train_with('bug', tmp_path)


def test_a_value_error_of_another_library_keeps_its_traceback() -> None:
    with pytest.raises(ValueError) as kept:
        with config_mistakes('a.py'):
            int('x')
    assert not isinstance(kept.value, UserError)


def test_a_value_error_of_this_package_is_its_sentence() -> None:
    from geminifusion3d.geometry.bev_grid import BEVGrid
    with pytest.raises(UserError, match='^(?!config a.py).*cell') as refusal:
        with config_mistakes('a.py'):
            BEVGrid(range_m=(0.0, 0.0, 0.0, 1.0, 1.0, 1.0), cell_m=0.3)
    assert '\n' not in str(refusal.value)
