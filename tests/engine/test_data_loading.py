"""Loaders get what the machine needs, and are refused where torch would hang."""
import os
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.structures import InstanceData
from toy_training import run_train, write_config

from geminifusion3d.engine import data_loading
from geminifusion3d.engine.data_loading import (DevicePrefetch, check_shared_memory, loader_config,
                                                shared_bytes)
from geminifusion3d.errors import UserError


def test_a_loader_with_workers_gets_a_timeout_and_the_configs_values_stand() -> None:
    found = loader_config(dict(num_workers=2, persistent_workers=True))
    assert found == dict(pin_memory=torch.cuda.is_available(), timeout=300, num_workers=2,
                         persistent_workers=True)
    assert loader_config(dict(num_workers=2, timeout=7, pin_memory=False))['timeout'] == 7


def test_a_loader_without_workers_keeps_nothing_that_torch_refuses() -> None:
    found = loader_config(dict(num_workers=0, persistent_workers=True, timeout=9))
    assert (found['persistent_workers'], found['timeout']) == (False, 0)


def test_memory_is_counted_in_pages_through_every_container() -> None:
    sample = dict(inputs=dict(img=[torch.zeros(4097, dtype=torch.uint8)], points=torch.zeros(2, 5)),
                  data_samples=InstanceData(labels=torch.zeros(1)), name='x')
    assert shared_bytes(sample) == 2 * 4096 + 4096 + 4096


def loader(workers: int) -> SimpleNamespace:
    """A loader of samples of one page each, two in a batch."""
    return SimpleNamespace(num_workers=workers, prefetch_factor=2, batch_size=2, dataset=[torch.zeros(1)])


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """Lets the shared memory have so many bytes free."""
    monkeypatch.setattr(os, 'statvfs', lambda folder: SimpleNamespace(f_bavail=free, f_frsize=1))


def test_too_little_shared_memory_is_named_with_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    # Three workers with two batches each and one in use, of two pages: 14 pages.
    with_free(monkeypatch, 14 * 4096)
    check_shared_memory(loader(3))
    with_free(monkeypatch, 14 * 4096 - 1)
    with pytest.raises(UserError, match='0.1 MB at a time.*--shm-size=2g.*num_workers=0'):
        check_shared_memory(loader(3))
    check_shared_memory(loader(0))
    # Two processes of one machine share it.
    with_free(monkeypatch, 14 * 4096)
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    with pytest.raises(UserError, match='has 0.1 MB free'):
        check_shared_memory(loader(3))


def test_ample_shared_memory_costs_no_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, data_loading.AMPLE_BYTES)
    check_shared_memory(SimpleNamespace(num_workers=2))


def test_a_training_by_epochs_refuses_a_sampler_that_never_ends(tmp_path: Path) -> None:
    extra = "train_dataloader['sampler'] = dict(type='InfiniteSampler')\n"
    with pytest.raises(UserError, match='an epoch never ends; expected a DefaultSampler'):
        run_train(write_config(tmp_path, extra=extra), tmp_path / 'run')


class FakeStream:
    """Writes down what a stream of CUDA would be asked to do."""

    def __init__(self, name: str, log: list) -> None:
        self.name, self.log, self.copies = name, log, 0

    def record_event(self) -> int:
        """Returns the number of the copy."""
        self.copies += 1
        return self.copies

    def wait_event(self, event: int) -> None:
        """Writes down which copy the model waits for."""
        self.log.append(f'wait {event}')


def test_the_next_batch_is_on_its_way_before_the_model_gets_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list = []
    current = FakeStream('current', log)
    monkeypatch.setattr(torch.cuda, 'Stream', lambda: FakeStream('copies', log))
    monkeypatch.setattr(torch.cuda, 'stream', lambda stream: nullcontext())
    monkeypatch.setattr(torch.cuda, 'current_stream', lambda: current)
    monkeypatch.setattr(torch.Tensor, 'cuda', lambda tensor, non_blocking: log.append(
        f'copy {int(tensor)} {non_blocking}') or tensor)
    monkeypatch.setattr(torch.Tensor, 'record_stream', lambda tensor, stream: log.append(f'use '
                                                                                         f'{int(tensor)}'))
    batches = [dict(inputs=dict(points=[torch.tensor(number)]), data_samples=[number]) for number in (1, 2)]
    prefetch = DevicePrefetch(type('Loader', (list,), dict(batch_size=1))(batches))
    assert [batch['data_samples'] for batch in prefetch] == [[1], [2]]
    assert log == ['copy 1 True', 'copy 2 True', 'wait 1', 'use 1', 'wait 2', 'use 2']
    assert (len(prefetch), prefetch.batch_size) == (2, 1)
