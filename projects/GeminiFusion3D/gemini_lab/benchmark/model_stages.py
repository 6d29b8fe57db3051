"""Which function of the detector belongs to which stage of `benchmark model`, in the order of the flow."""
from typing import Any, Dict, List, Sequence

from torch import nn

from ..cost.model_cost import StageCost
from .stage_clock import Watched

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
    ('bbox_head', 'forward', HEAD), ('bbox_head', 'loss', LOSSES), ('bbox_head', 'predict', BOXES))
# Stages of the parts that stats counts.
COUNTED = {'camera_branch.backbone': BACKBONE, 'camera_branch.neck': BACKBONE, 'camera_branch.rest': SPLAT,
           'camera_branch': DEPTH, 'lidar_branch': ENCODER, 'camera_align': ALIGN, 'lidar_align': ALIGN,
           'offset_field': ALIGN, 'cell_encoding': FUSE, 'gate': FUSE, 'fuser': FUSE, 'bev_backbone': BEV,
           'bev_neck': BEV, 'bbox_head': HEAD}


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


def multiply_adds_by_stage(costs: Sequence[StageCost]) -> Dict[str, int]:
    """Returns the multiply-adds of the stages."""
    sums: Dict[str, int] = {}
    for cost in costs:
        part = cost.stage.split('.')[0]
        stage = COUNTED.get(cost.stage, COUNTED.get(part))
        if stage:
            sums[stage] = sums.get(stage, 0) + cost.multiply_adds
    return sums
