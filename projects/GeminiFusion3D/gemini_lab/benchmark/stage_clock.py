"""Seconds of the stages of a program: functions are watched, and what runs inside another is its own."""
import time
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch

from .contest import synchronise

# An object, the name of one of its methods or functions, and the stage that it belongs to.
Watched = Tuple[Any, str, str]


class StageClock:
    """Adds up the seconds of each stage while it is entered; a stage inside another stops that one's clock.

    At every change of stage a GPU is waited for, so that stages do not overlap as they else would.

    Args:
        device: which works.
        watched: what to watch.
        outermost: the stage of everything else.

    Attributes:
        seconds: by stage, in the order in which they first ended.
    """

    def __init__(self, *, device: torch.device, watched: Sequence[Watched], outermost: str) -> None:
        self.device, self.watched, self.outermost = device, list(watched), outermost
        self.seconds: Dict[str, float] = {}
        self._stack: List[str] = []
        self._mark_s = 0.0
        self._replaced: List[Tuple[Any, str, Any]] = []

    def __enter__(self) -> 'StageClock':
        self.seconds = {}
        for owner, name, stage in self.watched:
            # An attribute of the object hides the method of its class, or its own one, which is put back.
            self._replaced.append((owner, name, vars(owner).get(name)))
            setattr(owner, name, self._timed(getattr(owner, name), stage))
        self._change(self.outermost)
        return self

    def __exit__(self, *exception: Any) -> None:
        self._leave()
        self._stack.clear()
        while self._replaced:
            owner, name, own = self._replaced.pop()
            delattr(owner, name) if own is None else setattr(owner, name, own)

    def _timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._change(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._leave()
        return timed

    def _change(self, stage: str) -> None:
        self._book()
        self._stack.append(stage)

    def _leave(self) -> None:
        self._book()
        self._stack.pop()

    def _book(self) -> None:
        """Gives the time since the last change to the stage that was running."""
        synchronise(self.device)
        now_s = time.perf_counter()
        if self._stack:
            stage = self._stack[-1]
            self.seconds[stage] = self.seconds.get(stage, 0.0) + now_s - self._mark_s
        self._mark_s = now_s
