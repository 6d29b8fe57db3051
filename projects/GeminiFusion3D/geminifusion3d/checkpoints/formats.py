"""Whose checkpoint is this? Told by the names of the weights."""
from dataclasses import dataclass
from typing import Collection, Optional, Tuple


@dataclass(frozen=True)
class Format:
    """A kind of checkpoint that is not of this project.

    Attributes:
        name: what messages call it.
        prefixes: each one begins the name of at least one weight.
        advice: what the user can do.
    """

    name: str
    prefixes: Tuple[str, ...]
    advice: str


def _convert_by(tool: str) -> str:
    return f'convert it with python tools/model_converters/{tool} CHECKPOINT OUT'


BEVFUSION = Format(
    'mmdet3d\'s BEVFusion project', ('pts_middle_encoder.', 'bbox_head.shared_conv.'),
    _convert_by('convert_bevfusion.py'))
CENTERPOINT = Format(
    'mmdet3d\'s CenterPoint', ('pts_middle_encoder.', 'pts_bbox_head.task_heads.'),
    _convert_by('convert_centerpoint.py'))
CENTERPOINT_PILLARS = Format(
    'mmdet3d\'s CenterPoint with pillars', ('pts_voxel_encoder.pfn_layers.', 'pts_bbox_head.task_heads.'),
    'no converter is at hand, its maximum over a pillar counts the padding of the pillar as points: use '
    'a checkpoint with voxels')
MIT_BEVFUSION = Format(
    'the MIT BEVFusion repository', ('encoders.lidar.', 'heads.object.'),
    'no converter is at hand: use the BEVFusion checkpoints that mmdet3d publishes, and '
    'tools/model_converters/convert_bevfusion.py')
OPENPCDET = Format(
    'OpenPCDet', ('backbone_3d.', 'dense_head.'),
    'no converter is at hand: use mmdet3d\'s CenterPoint checkpoints, and '
    'tools/model_converters/convert_centerpoint.py')
FORMATS = (BEVFUSION, CENTERPOINT, CENTERPOINT_PILLARS, MIT_BEVFUSION, OPENPCDET)


def recognise(keys: Collection[str]) -> Optional[Format]:
    """Returns the foreign format that a state dict's keys are of, or None."""
    return next((known for known in FORMATS
                 if all(any(key.startswith(prefix) for key in keys) for prefix in known.prefixes)), None)
