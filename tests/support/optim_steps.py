"""A small model, its steps, and a training of which one process sees bad batches."""
import copy
from typing import Any, Dict, List

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from geminifusion3d.engine.optim_wrapper import GeminiOptimWrapper

NAN = float('nan')
# What is freed waits for gloo's thread, which may wait for the interpreter that frees: nothing is.
KEPT = []


def make_model() -> nn.Module:
    """A model with momentum, so that an optimiser state exists, and running statistics."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def make_wrapper(model: nn.Module, **arguments: Any) -> GeminiOptimWrapper:
    """Wraps an optimiser with momentum."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return GeminiOptimWrapper(optimizer=optimizer, **arguments)


def batches(count: int) -> List[torch.Tensor]:
    """Returns batches of five rows."""
    return list(torch.randn(count, 5, 3, generator=torch.Generator().manual_seed(1)))


def iterate(model: nn.Module, wrapper: OptimWrapper, rows: torch.Tensor) -> None:
    """Runs one iteration as mmengine's train_step does."""
    with wrapper.optim_context(model):
        loss = model(rows).float().square().mean()
    wrapper.update_params(loss)


def state_of(model: nn.Module, wrapper: GeminiOptimWrapper) -> Dict[str, Any]:
    """Copies weights, buffers and the optimiser's state."""
    return copy.deepcopy({'model': model.state_dict(), 'optimizer': wrapper.state_dict()['state']})


def assert_same(first: Any, second: Any) -> None:
    """Compares nested dictionaries of tensors bit for bit."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    else:
        assert torch.equal(first, second)


def train_with_one_bad_rank() -> None:
    """In one of two processes, the second iteration sees a bad batch; both must skip it."""
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
    model = nn.parallel.DistributedDataParallel(make_model(), broadcast_buffers=False)
    KEPT.append(model)
    wrapper = make_wrapper(model, accumulative_counts=2)
    for step, batch in enumerate(batches(8)):
        before = state_of(model, wrapper)
        iterate(model, wrapper, (batch + rank) * (NAN if rank == 1 and step in (2, 5) else 1))
        is_bad = step in (2, 5)
        if (wrapper.skipped is not None) != is_bad or wrapper.has_stepped != (step in (1, 7)):
            raise ValueError(f'step {step} of rank {rank}: {wrapper.skipped}, {wrapper.has_stepped}')
        if is_bad:
            assert_same(before, state_of(model, wrapper))
    if wrapper.failures_in_row != 0:
        raise ValueError(f'{wrapper.failures_in_row} failures')
    gathered = [torch.empty_like(model.module[0].weight) for _ in range(2)]
    torch.distributed.all_gather(gathered, model.module[0].weight.detach())
    assert_same(*gathered)
    torch.distributed.destroy_process_group()
