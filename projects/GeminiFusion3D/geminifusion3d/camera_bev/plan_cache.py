"""Caches the splat plans of the last calibrations, so that cameras that stay in place are lifted once.

A camera's pixels fall into the same cells as long as calibration and augmentation stay the same to the last
bit. That is so for a rig that is calibrated once and triggered at one time. In nuScenes the car drives on
between the LiDAR's and a camera's shot, which the info files account for: there only the samples of a
standing car are found again.
"""
from collections import OrderedDict
from typing import Any, Callable, Hashable, Tuple

import torch

from ..ops.splat_plan import SplatPlan


class PlanCache:
    """Plans by what they depend on; the least recently used one is dropped first.

    Copies and pickles of it are empty: their owner may work on another device or with other cameras.

    Args:
        capacity: most plans to keep; each takes about 8 bytes per (pixel, depth bin) pair.

    Raises:
        ValueError: if capacity is negative.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f'cached_calibrations must be 0 or more, got {capacity}')
        self.capacity = capacity
        self._plans: 'OrderedDict[Hashable, SplatPlan]' = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.capacity,)

    def get(self, key: Hashable, make: Callable[[], SplatPlan]) -> SplatPlan:
        """Returns the plan of a key, made if it is not cached.

        Args:
            key: all that the plan depends on, the device included.
            make: makes the plan.
        """
        plan = self._plans.pop(key, None)
        if plan is None:
            # A plan may outlive the inference mode in which it is first asked for.
            with torch.inference_mode(False):
                plan = make().without_outside()
        self._plans[key] = plan
        while len(self._plans) > self.capacity:
            self._plans.popitem(last=False)
        return plan

    def clear(self) -> None:
        """Drops every plan."""
        self._plans.clear()
