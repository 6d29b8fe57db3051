"""One model looks at each sample in several variants; its boxes are moved back and fused.

A subclass of mmengine 0.10.7 `model/test_time_aug.py` BaseTTAModel, which runs the variants of a batch
one after another. The delta: boxes return to the LiDAR frame through the inverse of the very matrix
that moved the points, and are joined by weighted box fusion.
"""
from typing import List, Sequence

import numpy as np
import torch
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.model import BaseTTAModel
from mmengine.structures import InstanceData
from torch import nn

from ..sensors.augment_scene import move_boxes
from .weighted_box_fusion import Opinions, fuse

BOX_DIM = 9


@MODELS.register_module()
class GeminiTestTimeAugmentation(BaseTTAModel):
    """Wraps a trained detector for testing.

    Args:
        module: the detector; its weights are loaded before it is wrapped.
    """

    def __init__(self, *, module: nn.Module) -> None:
        super().__init__(module)

    def merge_preds(self, data_samples_list: Sequence[Sequence[Det3DDataSample]]) -> List[Det3DDataSample]:
        """Returns one prediction a sample, in the un-augmented LiDAR frame."""
        return [fuse_variants(variants) for variants in data_samples_list]


def fuse_variants(variants: Sequence[Det3DDataSample]) -> Det3DDataSample:
    """Fuses the predictions of one sample's variants; a single variant's boxes are only moved back.

    Args:
        variants: each with `pred_instances_3d` and, in its metainfo, `lidar_aug_matrix`.
    """
    found = [variant.pred_instances_3d for variant in variants]
    boxes = [boxes_in_lidar(variant) for variant in variants]
    scores, labels = (torch.cat([one[key] for one in found]) for key in ('scores_3d', 'labels_3d'))
    tensor, device = torch.cat([one.tensor for one in boxes]), scores.device
    if len(variants) > 1:
        # The boxes' origin is the bottom's centre: a mean of bottoms is the bottom of the mean.
        fused = fuse(Opinions(boxes=_numpy(tensor), scores=_numpy(scores), labels=labels.cpu().numpy(),
                              source=np.repeat(np.arange(len(boxes)), [len(one) for one in boxes])),
                     weights=[1.0] * len(boxes))
        tensor, scores, labels = map(torch.from_numpy, (fused.boxes, fused.scores, fused.labels))
    merged = variants[0].new()
    merged.pred_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(tensor.to(device, torch.float32), box_dim=BOX_DIM),
        scores_3d=scores.to(device, torch.float32), labels_3d=labels.to(device))
    return merged


def boxes_in_lidar(variant: Det3DDataSample) -> LiDARInstance3DBoxes:
    """Returns a variant's boxes in the un-augmented LiDAR frame.

    Args:
        variant: predictions for one augmented sample.

    Raises:
        ValueError: if the boxes have no velocity or the pipeline did not pack the matrix.
    """
    boxes = variant.pred_instances_3d.bboxes_3d
    if boxes.tensor.shape[-1] != BOX_DIM:
        raise ValueError(f'got boxes with {boxes.tensor.shape[-1]} columns, expected {BOX_DIM}; '
                         'train the head with velocities')
    if 'lidar_aug_matrix' not in variant.metainfo:
        raise ValueError('the predictions carry no lidar_aug_matrix to undo the augmentation; add it to '
                         'meta_keys of Pack3DDetInputs')
    augmented_from_lidar = np.asarray(variant.lidar_aug_matrix, dtype=np.float64)
    boxes = boxes.to('cpu')
    # The way there and back through sine and cosine would cost an un-augmented yaw its last digit.
    if np.array_equal(augmented_from_lidar, np.eye(4)):
        return boxes
    return move_boxes(np.linalg.inv(augmented_from_lidar), boxes)


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().double().numpy()
