"""CenterPoint's head on the model's grid.

Source: mmdet3d 1.4.0 CenterHead (Yin et al., CVPR 2021).
"""
from typing import Any, Dict, List, Mapping, Optional, Sequence

import torch
from jaxtyping import Float
from mmdet3d.models.dense_heads import CenterHead
from mmdet3d.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..nuscenes_facts import CLASS_NAMES
from .center_decode import (BOX_NUMBERS, CircleSuppression, RotatedSuppression, Suppression, decode_tasks,
                            suppress, values_at)
from .center_targets import CODE_SIZE, CenterTargetMaker, CenterTargets
from .losses import check_limits

LAST_CONV_STD = 0.01
# Scores are kept this far from 0 and 1 in the loss, as in mmdet3d's clip_sigmoid.
SCORE_MARGIN = 1e-4
# The regression branches in the order of a box code.
CODE_BRANCHES = ('reg', 'height', 'dim', 'rot', 'vel')
# Centres may leave the grid a little by their regressed offset, and height is not bounded by it.
CENTRE_MARGIN_M = 10.0


@MODELS.register_module()
class GeminiCenterHead(CenterHead):
    """mmdet3d's CenterHead; all its ranges come from the grid, its branches start near their bias.

    Args:
        bev_grid: the grid of the feature map.
        in_channels: channels of the feature map.
        tasks: groups of class names that share a heat map branch; together `classes` in order.
        common_heads: regression branches as in mmdet3d.
        share_conv_channel: channels of the shared convolution.
        separate_head: branch config as in mmdet3d.
        loss_cls: heat map loss.
        loss_bbox: box loss; must survive NaN targets.
        code_weights: weight of each of the ten box targets.
        gaussian_overlap: overlap that sizes the heat map's Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
        max_objects: most objects that a task holds in training.
        max_boxes: most boxes that a task decodes.
        score_threshold: boxes below are dropped.
        boxes_after_nms: most boxes per task that remain; all tasks together must stay within 500.
        nms_radius_m: per task, the distance up to which the weaker of two boxes is dropped; or None.
        nms_iou: instead, overlap seen from above from which on the weaker of two boxes of a task is dropped.
        centre_range_m: x, y, z between which gravity centres must lie, three low and three high; 10 m
            around the grid's range where None.
        classes: names of all classes, in the order of the labels.

    Raises:
        ValueError: if the tasks do not list the classes in order or may exceed 500 boxes, or not ten code
            weights or not exactly one non-maximum suppression are given.
    """

    def __init__(self, *, bev_grid: BEVGrid, in_channels: int, tasks: Sequence[Sequence[str]],
                 common_heads: Dict[str, Any], share_conv_channel: int,
                 separate_head: Dict[str, Any], loss_cls: Dict[str, Any], loss_bbox: Dict[str, Any],
                 code_weights: Sequence[float], gaussian_overlap: float, min_radius_cells: int,
                 max_objects: int, max_boxes: int, score_threshold: float, boxes_after_nms: int,
                 nms_radius_m: Optional[Sequence[float]] = None, nms_iou: Optional[float] = None,
                 centre_range_m: Optional[Sequence[float]] = None,
                 classes: Sequence[str] = CLASS_NAMES) -> None:
        _check(tasks, classes, code_weights, boxes_after_nms)
        suppression = _build_suppression(nms_radius_m, nms_iou, len(tasks))
        cell_m = [bev_grid.cell_m, bev_grid.cell_m]
        limit_m = list(centre_range_m) if centre_range_m else [
            bound_m + sign * CENTRE_MARGIN_M
            for bound_m, sign in zip(bev_grid.range_m, (-1, -1, -1, 1, 1, 1))]
        super().__init__(
            in_channels=in_channels,
            tasks=[dict(num_class=len(names), class_names=list(names)) for names in tasks],
            bbox_coder=dict(type='CenterPointBBoxCoder', pc_range=list(bev_grid.range_m[:2]),
                            out_size_factor=1, voxel_size=cell_m, post_center_range=limit_m,
                            max_num=min(max_boxes, bev_grid.n_x * bev_grid.n_y),
                            score_threshold=score_threshold, code_size=BOX_NUMBERS),
            common_heads=dict(common_heads), share_conv_channel=share_conv_channel,
            separate_head=dict(separate_head), loss_cls=loss_cls, loss_bbox=loss_bbox, norm_bbox=True,
            train_cfg={}, test_cfg={})
        self.bev_grid, self.classes = bev_grid, tuple(classes)
        self.suppression, self.boxes_after_nms = suppression, boxes_after_nms
        self.target_maker = CenterTargetMaker(
            bev_grid=bev_grid, classes_per_task=tuple(len(names) for names in tasks),
            gaussian_overlap=gaussian_overlap, min_radius_cells=min_radius_cells, max_objects=max_objects)
        self.register_buffer('limit_m', torch.tensor(limit_m), persistent=False)
        self.register_buffer('code_weights', torch.tensor(code_weights), persistent=False)

    def init_weights(self) -> None:
        """Initialises as mmdet3d means to, then makes each branch's last convolution small.

        mmdet3d keeps its branches in a ModuleList, which initialisation does not enter: their
        `init_bias` never takes effect, every cell starts at a score of 0.5, and hundreds of
        iterations go into unlearning that. Its fan-out scheme would outweigh the bias as well.
        """
        super().init_weights()
        for task_head in self.task_heads:
            task_head.init_weights()
            for branch in task_head.heads:
                nn.init.normal_(getattr(task_head, branch)[-1].weight, std=LAST_CONV_STD)

    def forward(self, feats: List[Float[Tensor, 'b c y x']]) -> Any:
        """Returns each task's maps after checking that the feature map is on the grid.

        Args:
            feats: one feature map.

        Raises:
            ValueError: if the feature map is not (B, C, Y, X) of the grid.
        """
        return super().forward([self.bev_grid.only_map(feats, 'GeminiCenterHead')])

    def forward_single(self, x: Float[Tensor, 'b c y x']) -> List[Dict[str, Tensor]]:
        """Returns each task's maps in float32: half precision rounds the bound of a score to 1."""
        return [{name: part.float() for name, part in maps.items()} for maps in super().forward_single(x)]

    def get_targets(self, batch_gt_instances_3d: List[InstanceData]) -> CenterTargets:
        """Returns the targets of mmdet3d's method, equal bit by bit (center_targets.py).

        Args:
            batch_gt_instances_3d: `bboxes_3d` and `labels_3d` of each sample.
        """
        return self.target_maker.make(batch_gt_instances_3d, device=self.limit_m.device)

    def loss_by_feat(self, preds_dicts: Sequence[List[Dict[str, Tensor]]],
                     batch_gt_instances_3d: List[InstanceData]) -> Dict[str, Float[Tensor, '']]:
        """Returns the losses of mmdet3d's method, equal bit by bit; nothing in it waits for a GPU.

        Args:
            preds_dicts: what `forward` returned: the raw maps of each task.
            batch_gt_instances_3d: `bboxes_3d` and `labels_3d` of each sample.
        """
        targets, losses = self.get_targets(batch_gt_instances_3d), {}
        for task, (maps, ) in enumerate(preds_dicts):
            heatmap = maps['heatmap'].sigmoid().clamp(SCORE_MARGIN, 1 - SCORE_MARGIN)
            losses[f'task{task}.loss_heatmap'] = self.loss_cls(
                heatmap, targets.heatmaps[task], avg_factor=targets.num_peaks[task])
            codes, is_object = targets.codes[task], targets.are_objects[task].float()
            predicted = torch.cat(
                [values_at(maps[name], targets.cells[task]) for name in CODE_BRANCHES], dim=2)
            weights = is_object.unsqueeze(2) * ~codes.isnan() * self.code_weights
            losses[f'task{task}.loss_bbox'] = self.loss_bbox(
                predicted, codes, weights, avg_factor=is_object.sum() + 1e-4)
        return losses

    def predict_by_feat(self, preds_dicts: Sequence[List[Dict[str, Tensor]]],
                        batch_input_metas: Sequence[Mapping[str, Any]], rescale: bool = True
                        ) -> List[InstanceData]:
        """Returns the boxes of each sample as mmdet3d does, after one copy to the CPU (center_decode.py).

        They stay there: whoever reads boxes would have to wait for the device once more.

        Args:
            preds_dicts: what `forward` returned: the raw maps of each task.
            batch_input_metas: whose `box_type_3d` the boxes become.
            rescale: not needed; part of mmdet3d's signature.
        """
        maps = [task[0] for task in preds_dicts]
        peaks = decode_tasks(maps, bev_grid=self.bev_grid, max_boxes=self.bbox_coder.max_num,
                             limit_m=self.limit_m, score_threshold=self.bbox_coder.score_threshold)
        samples = suppress(peaks, self.suppression, boxes_per_task=self.boxes_after_nms)
        return [InstanceData(bboxes_3d=meta['box_type_3d'](sample.boxes, box_dim=BOX_NUMBERS),
                             scores_3d=sample.scores, labels_3d=sample.labels)
                for sample, meta in zip(samples, batch_input_metas)]


def _check(tasks: Sequence[Sequence[str]], classes: Sequence[str], code_weights: Sequence[float],
           boxes_after_nms: int) -> None:
    listed = [name for names in tasks for name in names]
    if listed != list(classes):
        raise ValueError(f'the tasks must list the classes in order, expected {list(classes)}, got {listed}; '
                         'change tasks or classes of bbox_head')
    check_limits(code_weights, CODE_SIZE, boxes_after_nms * len(tasks),
                 f'{len(tasks)} tasks x boxes_after_nms={boxes_after_nms}')


def _build_suppression(radii_m: Optional[Sequence[float]], iou: Optional[float], tasks: int) -> Suppression:
    if radii_m is not None and iou is None:
        if len(radii_m) != tasks:
            raise ValueError(f'nms_radius_m needs one radius per task: got {len(radii_m)} for {tasks} tasks')
        return CircleSuppression(radii_m)
    if iou is not None and radii_m is None:
        return RotatedSuppression(iou)
    raise ValueError('the head needs either nms_radius_m or nms_iou, the other one None, got '
                     f'nms_radius_m={radii_m} and nms_iou={iou}')
