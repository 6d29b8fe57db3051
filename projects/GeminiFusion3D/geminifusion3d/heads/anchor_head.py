"""The anchor head of SECOND and PointPillars on the model's grid.

Source: mmdet3d 1.4.0 Anchor3DHead with the anchors of its nuScenes recipes (PointPillars, Lang et al.,
CVPR 2019).
"""
import math
import warnings
from typing import Any, Dict, List, Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.models.dense_heads import Anchor3DHead
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample, limit_period
from mmengine.config import ConfigDict
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional as F

from ..geometry.bev_grid import BEVGrid
from ..nuscenes_facts import CLASS_NAMES
from .center_decode import BOX_NUMBERS, RotatedSuppression, suppress
from .losses import OneHotLoss, check_limits

# Position, size, yaw, velocity.
BOX_CODE_SIZE = 9
# Of every class at every anchor; mmdet3d's init_weights means the same.
FIRST_SCORE = 0.01


@MODELS.register_module()
class GeminiPlainAnchor3DHead(Anchor3DHead):
    """mmdet3d's Anchor3DHead, except that neither loss nor non-maximum suppression calls a compiled operator.

    Args:
        **kwargs: arguments of Anchor3DHead; `loss_cls` is a mmdet.FocalLoss.

    Raises:
        ValueError: if the loss is another.
    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs['loss_cls'].get('type') != 'mmdet.FocalLoss':
            raise ValueError('loss_cls must be a mmdet.FocalLoss, which uses all anchors instead of a sample '
                             f'of them, got {kwargs["loss_cls"].get("type")}')
        with warnings.catch_warnings():
            # mmdet3d warns its developers that the offset may move one day.
            warnings.filterwarnings('ignore', message='dir_offset and dir_limit_offset')
            super().__init__(**kwargs)
        self.loss_cls: nn.Module = OneHotLoss(self.loss_cls)

    def _predict_by_feat_single(self, cls_score_list: List[Float[Tensor, 'ak y x']],
                                bbox_pred_list: List[Float[Tensor, 'ac y x']],
                                dir_cls_pred_list: List[Float[Tensor, 'ad y x']],
                                mlvl_priors: List[Float[Tensor, 'n code']], input_meta: Dict[str, Any],
                                cfg: Any, rescale: bool = False) -> InstanceData:
        """Decodes the best anchors at once; suppresses on the CPU, as CenterPoint: there boxes stay."""
        scores, codes, directions = (
            _anchors_first(maps[0], width) for maps, width in (
                (cls_score_list, self.num_classes), (bbox_pred_list, self.box_code_size),
                (dir_cls_pred_list, 2)))
        cfg = cfg or self.test_cfg
        best = scores.amax(1).topk(min(cfg.nms_pre, len(scores))).indices
        scores = scores[best].sigmoid()
        boxes = self.bbox_coder.decode(mlvl_priors[0][best], codes[best])
        # Without a velocity where the code has none.
        boxes = F.pad(boxes, (0, BOX_NUMBERS - self.box_code_size))
        half_turns = directions[best].argmax(1)
        yaw = limit_period(boxes[:, 6] - self.dir_offset, self.dir_limit_offset, math.pi)
        boxes[:, 6] = yaw + self.dir_offset + math.pi * half_turns
        # What `suppress` reads, with classes for tasks: gravity centres, score, label, whether to keep it.
        boxes[:, 2] += boxes[:, 5] / 2
        is_kept = (scores > cfg.score_thr) & boxes.isfinite().all(1, keepdim=True)
        labels = torch.arange(self.num_classes, device=scores.device).expand_as(scores)
        rows = torch.cat([boxes.unsqueeze(1).expand(-1, self.num_classes, -1),
                          torch.stack([scores, labels, is_kept], dim=-1)], dim=-1)
        found, = suppress(rows.transpose(0, 1)[None], RotatedSuppression(cfg.nms_thr),
                          boxes_per_task=cfg.max_num)
        order = found.scores.argsort(descending=True)[:cfg.max_num]
        return InstanceData(
            bboxes_3d=input_meta['box_type_3d'](
                found.boxes[order, :self.box_code_size], box_dim=self.box_code_size),
            scores_3d=found.scores[order], labels_3d=found.labels[order].long())


@MODELS.register_module()
class GeminiAnchor3DHead(GeminiPlainAnchor3DHead):
    """The head above; its anchors stand in the middle of the grid's cells.

    Further differences: an unknown (NaN) velocity costs nothing; the ground truth is not changed.

    Args:
        bev_grid: the grid of the feature map.
        in_channels: channels of the feature map.
        anchors: `size_lwh_m` and `bottom_m`, the height of its underside, of each anchor in a cell.
        anchor_yaws_rad: each anchor stands in a cell once with each of these yaws.
        assigner: overlaps `positive_iou` and `negative_iou` above and below which an anchor is object
            or background, and `least_iou` of an object's best anchor.
        loss_cls: a mmdet.FocalLoss over anchors.
        loss_bbox: of the box codes.
        loss_dir: of the two directions along a yaw.
        code_weights: weight of each of the nine numbers of a box code.
        direction_offset_rad: yaw at which the two directions part.
        candidates: number of best anchors per sample that are decoded.
        score_threshold: boxes below are dropped.
        nms_iou: rotated overlap above which the weaker of two boxes of a class is dropped.
        max_boxes: most boxes per sample.
        classes: names of all classes, in the order of the labels.

    Raises:
        ValueError: if the loss, the number of code weights or of boxes does not fit.
    """

    def __init__(self, *, bev_grid: BEVGrid, in_channels: int, anchors: Sequence[Dict[str, Any]],
                 anchor_yaws_rad: Sequence[float], assigner: Dict[str, float], loss_cls: Dict[str, Any],
                 loss_bbox: Dict[str, Any], loss_dir: Dict[str, Any], code_weights: Sequence[float],
                 direction_offset_rad: float, candidates: int, score_threshold: float, nms_iou: float,
                 max_boxes: int, classes: Sequence[str] = CLASS_NAMES) -> None:
        check_limits(code_weights, BOX_CODE_SIZE, max_boxes, f'max_boxes={max_boxes}')
        super().__init__(
            num_classes=len(classes), in_channels=in_channels, feat_channels=in_channels,
            anchor_generator=_anchor_generator(bev_grid, anchors, anchor_yaws_rad),
            dir_offset=direction_offset_rad,
            bbox_coder=dict(type='DeltaXYZWLHRBBoxCoder', code_size=BOX_CODE_SIZE),
            loss_cls=loss_cls, loss_bbox=loss_bbox, loss_dir=loss_dir,
            train_cfg=ConfigDict(assigner=_assigner(**assigner), code_weight=list(code_weights),
                                 pos_weight=-1),
            test_cfg=ConfigDict(nms_pre=candidates, score_thr=score_threshold, nms_thr=nms_iou,
                                max_num=max_boxes))
        self.bev_grid, self.classes = bev_grid, tuple(classes)
        # Set without init_weights as well: if every anchor predicts an object, suppression takes seconds.
        nn.init.constant_(self.conv_cls.bias, bias_init_with_prob(FIRST_SCORE))

    def forward(self, features: Sequence[Float[Tensor, 'b c y x']]) -> Tuple[List[Tensor], ...]:
        """Returns class scores, box codes and direction scores, one map each in a list.

        Args:
            features: one map (B, C, Y, X).

        Raises:
            ValueError: if it is not one map on the grid.
        """
        return super().forward([self.bev_grid.only_map(features, 'GeminiAnchor3DHead')])

    def loss(self, features: Sequence[Float[Tensor, 'b c y x']], samples: List[Det3DDataSample]
             ) -> Dict[str, Tensor]:
        """Returns the losses.

        Args:
            features: one map (B, C, Y, X).
            samples: with `gt_instances_3d`, which mmdet3d would change.
        """
        ground_truth = [_usable(sample.gt_instances_3d, features[0]) for sample in samples]
        losses = self.loss_by_feat(*self(features), ground_truth, [sample.metainfo for sample in samples])
        return {name: levels[0] for name, levels in losses.items()}

    def anchor_target_single_assigner(self, *args: Any, **kwargs: Any) -> Tuple[Tensor, ...]:
        """Returns mmdet3d's targets, with neither value nor weight where the target is unknown."""
        labels, label_weights, codes, code_weights, *others = super().anchor_target_single_assigner(
            *args, **kwargs)
        is_known = ~codes.isnan()
        return (labels, label_weights, codes.where(is_known, codes.new_zeros(())),
                code_weights * is_known, *others)


def _anchors_first(maps: Float[Tensor, 'channels y x'], width: int) -> Float[Tensor, 'n width']:
    """Returns one row per anchor, in the order of mmdet3d's anchors, in float32."""
    return maps.float().permute(1, 2, 0).reshape(-1, width)


def _usable(ground_truth: InstanceData, like: Float[Tensor, '...']) -> InstanceData:
    """Returns a copy on the device of `like`, without boxes that have no place or no size."""
    boxes = ground_truth.bboxes_3d.tensor.to(like.device)
    is_usable = boxes[:, :7].isfinite().all(1) & (boxes[:, 3:6] > 0).all(1)
    labels = ground_truth.labels_3d.to(like.device)
    return InstanceData(bboxes_3d=boxes[is_usable], labels_3d=labels[is_usable])


def _anchor_generator(bev_grid: BEVGrid, anchors: Sequence[Dict[str, Any]],
                      yaws_rad: Sequence[float]) -> Dict[str, Any]:
    x_min, y_min, _, x_max, y_max, _ = bev_grid.range_m
    return dict(
        type='AlignedAnchor3DRangeGenerator',
        ranges=[[x_min, y_min, anchor['bottom_m'], x_max, y_max, anchor['bottom_m']]
                for anchor in anchors],
        sizes=[list(anchor['size_lwh_m']) for anchor in anchors],
        # The velocity of an anchor is zero.
        rotations=list(yaws_rad), custom_values=[0, 0], reshape_out=True)


def _assigner(*, positive_iou: float, negative_iou: float, least_iou: float) -> Dict[str, Any]:
    return dict(type='Max3DIoUAssigner', iou_calculator=dict(type='BboxOverlapsNearest3D'),
                pos_iou_thr=positive_iou, neg_iou_thr=negative_iou, min_pos_iou=least_iou,
                ignore_iof_thr=-1)
