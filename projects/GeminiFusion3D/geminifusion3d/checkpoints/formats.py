"""Whose checkpoint is this? The names of the weights say so."""
from dataclasses import dataclass
from typing import Collection, Optional, Tuple

CONVERT = 'convert it with gemini3d convert-checkpoint CHECKPOINT OUT'


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
    advice: str = CONVERT


BEVFUSION = Format("mmdet3d's BEVFusion project", ('pts_middle_encoder.', 'bbox_head.shared_conv.'))
MVXNET_GEMINIFUSION = Format('the official MVX-Net with GeminiFusion', (
    'pts_voxel_encoder.fusion_layer.0.relation_judger.', 'pts_bbox_head.conv_cls.'))
CENTERPOINT = Format("mmdet3d's CenterPoint", ('pts_middle_encoder.', 'pts_bbox_head.task_heads.'))
CENTERPOINT_PILLARS = Format("mmdet3d's CenterPoint with pillars", (
    'pts_voxel_encoder.pfn_layers.', 'pts_bbox_head.task_heads.'))
MIT_BEVFUSION = Format('the MIT BEVFusion repository', ('encoders.lidar.', 'heads.object.'))
MIT_BEVFUSION_MAP = Format('the MIT BEVFusion repository, for map segmentation', (
    'encoders.lidar.', 'heads.map.'))
CONVERTIBLE = (BEVFUSION, CENTERPOINT, CENTERPOINT_PILLARS, MVXNET_GEMINIFUSION, MIT_BEVFUSION,
               MIT_BEVFUSION_MAP)
OPENPCDET = Format(
    'OpenPCDet', ('backbone_3d.', 'dense_head.'),
    "no converter is at hand: use mmdet3d's CenterPoint checkpoints, and gemini3d convert-checkpoint")


def recognise(keys: Collection[str]) -> Optional[Format]:
    """Returns the foreign format that a state dict's keys are of, or None."""
    return next((known for known in (*CONVERTIBLE, OPENPCDET)
                 if all(any(key.startswith(prefix) for key in keys) for prefix in known.prefixes)), None)
