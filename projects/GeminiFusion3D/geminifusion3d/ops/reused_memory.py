"""Memory of a CPU that is used again: fresh pages cost more time than what is written into them.

A C library gives large blocks back to the system, which hands every page out anew, zeroed, at its first use.
A training step that keeps its intermediate results would spend a quarter of its time so.
"""
import math
import threading
import weakref
from collections import deque
from typing import Deque, List, Sequence

import torch
from torch import Tensor


class ReusedMemory:
    """Lends memory, and lends it again when no tensor uses it any more, views and saved tensors included.

    Lent and unused memory together are never more than what was lent at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Filled whenever Python drops an array, inside the methods below too: nothing but an append is safe.
        self._returned: Deque[Tensor] = deque()
        self._unused: List[Tensor] = []  # the longest unused first
        self._lent_bytes = self._most_lent_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes that are held and not lent."""
        return sum(memory.nbytes for memory in (*self._unused, *self._returned))

    def empty(self, size: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Returns a tensor of arbitrary numbers on the CPU.

        Args:
            size: of the tensor.
            dtype: of its numbers.
        """
        n_bytes = math.prod(size) * dtype.itemsize
        if not n_bytes:
            return torch.empty(size, dtype=dtype)
        with self._lock:
            self._take_back()
            memory = self._take(n_bytes)
            self._lent_bytes += n_bytes
            self._most_lent_bytes = max(self._most_lent_bytes, self._lent_bytes)
            self._limit()
        # The tensor's storage refers to the array, and nothing else does: it ends with the last tensor.
        lent = memory.numpy()
        weakref.finalize(lent, self._returned.append, memory).atexit = False
        return torch.from_numpy(lent).view(dtype).view(size)

    def clear(self) -> None:
        """Gives back what is not lent."""
        with self._lock:
            self._take_back()
            self._unused.clear()
            self._most_lent_bytes = self._lent_bytes

    def _take_back(self) -> None:
        while self._returned:
            memory = self._returned.popleft()
            self._lent_bytes -= memory.nbytes
            self._unused.append(memory)

    def _take(self, n_bytes: int) -> Tensor:
        for index, memory in enumerate(self._unused):
            if memory.nbytes == n_bytes:
                return self._unused.pop(index)
        return torch.empty(n_bytes, dtype=torch.uint8)

    def _limit(self) -> None:
        unused_bytes = sum(memory.nbytes for memory in self._unused)
        while self._lent_bytes + unused_bytes > self._most_lent_bytes:
            unused_bytes -= self._unused.pop(0).nbytes
