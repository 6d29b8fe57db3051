"""Seconds of the stages of a program: functions are watched, and what runs inside another is its own.

Imports nothing of this project, so that it times other versions of it.
"""
import time
from typing import Any, Callable, Dict, List, Sequence, Tuple

import torch
from torch import nn

# An object, the name of one of its methods or functions, and the stage that it belongs to.
Watched = Tuple[Any, str, str]

LOAD, COLLATE, TRANSFER = 'load and augment', 'collate', 'transfer, normalise'
BACKBONE, DEPTH, LIFT, SPLAT = ('camera: backbone and neck', 'camera: depth', 'camera: lift (which cell)',
                                'camera: splat')
VOXELS, ENCODER = 'LiDAR: voxelise', 'LiDAR: encoder'
ALIGN, FUSE, BEV, HEAD = 'align', 'fuse', 'BEV backbone and neck', 'head'
LOSSES, BACKWARD, STEP = 'targets and losses', 'backward', 'optimiser step'
BOXES, RECORDS, REST = 'post-processing', 'nuScenes records', 'rest: matrices of the cameras, calls'
STAGES = (LOAD, COLLATE, TRANSFER, BACKBONE, DEPTH, LIFT, SPLAT, VOXELS, ENCODER, ALIGN, FUSE, BEV, HEAD,
          LOSSES, BACKWARD, STEP, BOXES, RECORDS, REST)

# What a part runs itself is its stage's; parts below it that are listed have stages of their own.
METHODS = (
    ('data_preprocessor', 'forward', TRANSFER), ('camera_branch', 'forward', SPLAT),
    ('camera_branch.backbone', 'forward', BACKBONE), ('camera_branch.neck', 'forward', BACKBONE),
    ('camera_branch', 'predict_depth', DEPTH), ('camera_branch', '_lidar_depth', DEPTH),
    ('camera_branch', '_plan', LIFT), ('camera_branch', 'loss', LOSSES),
    ('lidar_branch', 'forward', ENCODER), ('lidar_branch.voxelization', 'forward', VOXELS),
    ('lidar_branch.voxel_encoder', 'forward', VOXELS), ('camera_align', 'forward', ALIGN),
    ('lidar_align', 'forward', ALIGN), ('offset_field', 'forward', ALIGN),
    ('cell_encoding', 'forward', FUSE), ('gate', 'forward', FUSE), ('fuser', 'forward', FUSE),
    ('fuser', 'loss', LOSSES), ('bev_backbone', 'forward', BEV), ('bev_neck', 'forward', BEV),
    ('motion', 'measure', BEV), ('motion', 'forward', BEV),
    ('bbox_head', 'forward', HEAD), ('bbox_head', 'loss', LOSSES), ('bbox_head', 'predict', BOXES))


def synchronise(device: torch.device) -> None:
    """Waits until a device has done its work; a CPU has."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


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


def watched_methods(model: nn.Module) -> List[Watched]:
    """Returns what a clock shall watch of a detector, those parts that it has."""
    found = []
    for path, method, stage in METHODS:
        owner: Any = model
        for name in path.split('.'):
            owner = getattr(owner, name, None)
        if owner is not None and hasattr(owner, method):
            found.append((owner, method, stage))
    return found
