"""Keeps torch's global settings, which a run changes, from reaching other tests."""
from typing import Iterator

import pytest
import torch


@pytest.fixture(autouse=True, scope='module')
def restore_torch() -> Iterator[None]:
    """Restores the number of threads and the choice of algorithms."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.deterministic = False
