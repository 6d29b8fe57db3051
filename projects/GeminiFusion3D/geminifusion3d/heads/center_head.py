"""CenterPoint's head on the model's grid.

Source: mmdet3d 1.4.0 CenterHead (Yin et al., CVPR 2021).
"""
from typing import Any, Dict, List, Mapping, Sequence

import torch
from mmdet3d.models.dense_heads import CenterHead
from mmdet3d.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..nuscenes_facts import CLASS_NAMES
from ..geometry.bev_grid import BEVGrid
from .center_decode import BOX_NUMBERS, decode_tasks, suppress
from .feature_map import check_on_grid

LAST_CONV_STD = 0.01


@MODELS.register_module()
class GeminiCenterHead(CenterHead):
    """The host's CenterHead; all its ranges come from the grid, its branches start near their bias.

    Args:
        bev_grid: the grid of the feature map.
        in_channels: channels of the feature map.
        tasks: groups of class names that share a heat map branch; together CLASS_NAMES in order.
        common_heads: regression branches as in the host.
        share_conv_channel: channels of the shared convolution.
        separate_head: branch config as in the host.
        loss_cls: heat map loss.
        loss_bbox: box loss; must survive NaN targets.
        code_weights: weight of each of the ten box targets.
        gaussian_overlap: overlap that sizes the heat map's Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
        max_objects: most objects a task can hold in training.
        max_boxes: most boxes that a task decodes.
        score_threshold: boxes below are dropped.
        nms_radius_m: per task, the distance below which the weaker of two boxes is dropped.
        boxes_after_nms: most boxes a task keeps; all tasks together must stay within 500.

    Raises:
        ValueError: if the tasks do not list the classes in order, or may exceed 500 boxes.
    """

    def __init__(self, *, bev_grid: BEVGrid, in_channels: int, tasks: Sequence[Sequence[str]],
                 common_heads: Dict[str, Any], share_conv_channel: int,
                 separate_head: Dict[str, Any], loss_cls: Dict[str, Any], loss_bbox: Dict[str, Any],
                 code_weights: Sequence[float], gaussian_overlap: float, min_radius_cells: int,
                 max_objects: int, max_boxes: int, score_threshold: float,
                 nms_radius_m: Sequence[float], boxes_after_nms: int) -> None:
        _check_tasks(tasks, nms_radius_m, boxes_after_nms)
        cell_m = [bev_grid.cell_m, bev_grid.cell_m]
        range_m = list(bev_grid.range_m)
        # Centres may leave the grid a little by their regressed offset, and height is not bounded by it.
        limit_m = [bound + sign * 10.0 for bound, sign in zip(range_m, (-1, -1, -1, 1, 1, 1))]
        super().__init__(
            in_channels=in_channels,
            tasks=[dict(num_class=len(names), class_names=list(names)) for names in tasks],
            bbox_coder=dict(type='CenterPointBBoxCoder', pc_range=range_m[:2], out_size_factor=1,
                            voxel_size=cell_m, post_center_range=limit_m,
                            max_num=min(max_boxes, bev_grid.n_x * bev_grid.n_y),
                            score_threshold=score_threshold, code_size=9),
            common_heads=dict(common_heads), share_conv_channel=share_conv_channel,
            separate_head=dict(separate_head), loss_cls=loss_cls, loss_bbox=loss_bbox, norm_bbox=True,
            train_cfg=dict(grid_size=[bev_grid.n_x, bev_grid.n_y], voxel_size=cell_m, out_size_factor=1,
                           point_cloud_range=range_m, dense_reg=1, gaussian_overlap=gaussian_overlap,
                           max_objs=max_objects, min_radius=min_radius_cells,
                           code_weights=list(code_weights)),
            test_cfg=dict(nms_type='circle', min_radius=[radius_m ** 2 for radius_m in nms_radius_m],
                          post_max_size=boxes_after_nms))
        self.bev_grid = bev_grid
        self.register_buffer('limit_m', torch.tensor(limit_m), persistent=False)

    def init_weights(self) -> None:
        """Initialises as the host means to, then quiets each branch's last convolution.

        The host keeps its branches in a ModuleList, which initialisation does not enter: their
        `init_bias` never takes effect, every cell starts at a score of 0.5, and hundreds of
        iterations go into unlearning that. Its fan-out scheme would drown the bias as well.
        """
        super().init_weights()
        for task_head in self.task_heads:
            task_head.init_weights()
            for branch in task_head.heads:
                nn.init.normal_(getattr(task_head, branch)[-1].weight, std=LAST_CONV_STD)

    def forward(self, feats: List[Tensor]) -> Any:
        """Runs the host's head after checking that the map is on the grid.

        Raises:
            ValueError: if the feature map is not (B, C, Y, X) of the grid.
        """
        check_on_grid(feats[0], self.bev_grid)
        return super().forward(feats)

    def forward_single(self, x: Tensor) -> List[Dict[str, Tensor]]:
        """Returns each task's maps in float32: half precision rounds the bound of a score to 1.

        Args:
            x: (B, C, Y, X).
        """
        return [{name: part.float() for name, part in maps.items()}
                for maps in super().forward_single(x)]

    def predict_by_feat(self, preds_dicts: Sequence[List[Dict[str, Tensor]]],
                        batch_input_metas: Sequence[Mapping[str, Any]], rescale: bool = True
                        ) -> List[InstanceData]:
        """Returns the boxes of each sample as the host does, after one copy to the CPU (center_decode.py).

        Args:
            preds_dicts: what `forward` returned: the raw maps of each task.
            batch_input_metas: whose `box_type_3d` the boxes become.
            rescale: not needed, the host's signature.
        """
        maps = [task[0] for task in preds_dicts]
        peaks = decode_tasks(maps, bev_grid=self.bev_grid, max_boxes=self.bbox_coder.max_num,
                             limit_m=self.limit_m, score_threshold=self.bbox_coder.score_threshold)
        samples = suppress(peaks, radius_squared_m2=self.test_cfg['min_radius'],
                           boxes_a_task=self.test_cfg['post_max_size'])
        device = peaks.device
        return [InstanceData(bboxes_3d=meta['box_type_3d'](sample.boxes.to(device), box_dim=BOX_NUMBERS),
                             scores_3d=sample.scores.to(device), labels_3d=sample.labels.to(device))
                for sample, meta in zip(samples, batch_input_metas)]


def _check_tasks(tasks: Sequence[Sequence[str]], nms_radius_m: Sequence[float],
                 boxes_after_nms: int) -> None:
    listed = tuple(name for names in tasks for name in names)
    if listed != CLASS_NAMES:
        raise ValueError(f'the tasks must list the classes in order {CLASS_NAMES}, got {listed}')
    if len(nms_radius_m) != len(tasks):
        raise ValueError(f'one nms_radius_m a task: got {len(nms_radius_m)} for {len(tasks)} tasks')
    if boxes_after_nms * len(tasks) > 500:
        raise ValueError(f'nuScenes allows 500 boxes a sample, but {len(tasks)} tasks x '
                         f'{boxes_after_nms} boxes may give more; lower boxes_after_nms')
