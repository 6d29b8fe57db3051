"""Keeps the splat plans of the calibrations seen last, so that cameras that stay put are lifted once.

A camera's pixels fall into the same cells as long as calibration and augmentation stay the same to the last
bit. That is so for a rig that is calibrated once and fires at once. In nuScenes the car drives on between
the LiDAR's and a camera's shot, which the info files take into account: there only a standing car's
samples are found again.
"""
from collections import OrderedDict
from typing import Any, Callable, Hashable, Tuple

import torch

from ..ops.splat_plan import SplatPlan


class PlanCache:
    """Plans by what they depend on; the one that was not asked for longest makes room.

    Copies and pickles of it are empty: what they belong to may work on another device or with other
    cameras.

    Args:
        capacity: most plans to keep; each takes about 8 bytes a (pixel, depth bin) pair.

    Raises:
        ValueError: if capacity is negative.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 0:
            raise ValueError(f'a cache keeps 0 or more calibrations, got {capacity}')
        self.capacity = capacity
        self._plans: 'OrderedDict[Hashable, SplatPlan]' = OrderedDict()

    def __len__(self) -> int:
        return len(self._plans)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), (self.capacity,)

    def get(self, key: Hashable, make: Callable[[], SplatPlan]) -> SplatPlan:
        """Returns the plan of a key, made where it is not known.

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
        """Forgets every plan."""
        self._plans.clear()
