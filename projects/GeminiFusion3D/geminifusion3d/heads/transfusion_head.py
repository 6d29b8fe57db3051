"""The TransFusion head, the detection head of BEVFusion: BEV map in, boxes in the LiDAR frame out.

    map -> shared convolution -> heat map -> queries at its peaks -> decoder layer -> class and box

Source: Bai et al., TransFusion, CVPR 2022 (LiDAR branch); the variant of mmdet3d's
projects/BEVFusion, whose weights fit (checkpoints/converters.py). Differences: ranges come from the grid, the
map is (B, C, Y, X), and no state survives a call.
"""
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import torch
from jaxtyping import Float, Int
from mmdet3d.registry import MODELS
from mmdet3d.structures import Det3DDataSample
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..nuscenes_facts import CLASS_NAMES
from ..ops.device_constants import constant_like
from .losses import check_limits
from .transfusion_layers import DecoderLayer, QueryInit, QueryPrediction, float32_region
from .transfusion_targets import CODE_SIZE, BoxCoder, HungarianAssigner, TargetMaker


class TransFusionOutput(NamedTuple):
    """Raw predictions of B samples with N queries, in float32.

    Attributes:
        heatmap_logits: dense heat map.
        query_classes: class for which a query was chosen.
        query_scores: height of its peak.
        class_logits: logits of the decoder.
        codes: box codes, see BoxCoder.
    """

    heatmap_logits: Float[Tensor, 'b k y x']
    query_classes: Int[Tensor, 'b n']
    query_scores: Float[Tensor, 'b n']
    class_logits: Float[Tensor, 'b n k']
    codes: Float[Tensor, 'b n 10']

    def scores(self) -> Float[Tensor, 'b n']:
        """Returns the score of each query's box, of the class for which the query was chosen."""
        own_logits = self.class_logits.gather(2, self.query_classes.unsqueeze(-1)).squeeze(-1)
        return own_logits.sigmoid() * self.query_scores


@MODELS.register_module()
class GeminiTransFusionHead(BaseModule):
    """Queries at the peaks of a heat map, one decoder layer, one-to-one assignment, no NMS.

    Args:
        bev_grid: the grid of the feature map.
        in_channels: channels of the feature map.
        hidden_channels: C of the shared convolution, the queries and the decoder.
        num_queries: N, the most boxes per sample; at most 500, nuScenes' limit.
        peak_kernel: side of the square, in cells, in which a query's peak must be the highest.
        unpooled_classes: small classes of which each cell may be a peak.
        decoder: `heads`, `feedforward_channels` and `dropout` of the decoder layer.
        branch_channels: hidden channels of the prediction branches.
        init_bias: logit at which heat map and classes start.
        assigner: `class_weight`, `centre_weight` and `iou_weight` of the assignment's costs.
        gaussian_overlap: overlap that sizes the heat map's Gaussians.
        min_radius_cells: smallest radius of a Gaussian.
        loss_heatmap: loss of the dense heat map.
        loss_cls: focal loss of the queries' classes.
        loss_bbox: loss of the box codes; must survive NaN targets.
        code_weights: weight of each of the ten numbers of a box code.
        score_threshold: boxes below are dropped.
        centre_margin_m: how far outside the grid's range the bottom centre of a box may lie.
        centre_range_m: instead, x, y, z between which bottom centres must lie, three low and three high.
        classes: names of all classes, in the order of the labels.

    Raises:
        ValueError: if there are too many queries or not ten code weights.
    """

    def __init__(self, *, bev_grid: BEVGrid, in_channels: int, hidden_channels: int, num_queries: int,
                 peak_kernel: int, unpooled_classes: Sequence[str], decoder: Dict[str, Any],
                 branch_channels: int, init_bias: float, assigner: Dict[str, float],
                 gaussian_overlap: float, min_radius_cells: int, loss_heatmap: Dict[str, Any],
                 loss_cls: Dict[str, Any], loss_bbox: Dict[str, Any], code_weights: Sequence[float],
                 score_threshold: float, centre_margin_m: float,
                 centre_range_m: Optional[Sequence[float]] = None,
                 classes: Sequence[str] = CLASS_NAMES) -> None:
        super().__init__()
        check_limits(code_weights, CODE_SIZE, num_queries, f'num_queries={num_queries}')
        self.bev_grid, self.classes = bev_grid, tuple(classes)
        self.shared_conv = nn.Conv2d(in_channels, hidden_channels, 3, padding=1)
        self.query_init = QueryInit(
            bev_grid=bev_grid, channels=hidden_channels, num_queries=num_queries,
            peak_kernel=peak_kernel, classes=classes, unpooled_classes=unpooled_classes,
            init_bias=init_bias)
        self.decoder = DecoderLayer(channels=hidden_channels, **decoder)
        self.prediction = QueryPrediction(channels=hidden_channels, num_classes=len(classes),
                                          branch_channels=branch_channels, init_bias=init_bias)
        self.target_maker = TargetMaker(
            bev_grid=bev_grid, num_classes=len(classes),
            assigner=HungarianAssigner(bev_grid=bev_grid, **assigner),
            gaussian_overlap=gaussian_overlap, min_radius_cells=min_radius_cells)
        self.loss_heatmap = MODELS.build(loss_heatmap)
        self.loss_cls = MODELS.build(loss_cls)
        self.loss_bbox = MODELS.build(loss_bbox)
        self.register_buffer('code_weights', torch.tensor(code_weights), persistent=False)
        self.score_threshold = score_threshold
        low_m, high_m = bev_grid.range_m[:3], bev_grid.range_m[3:]
        self.centre_range_m = tuple(centre_range_m or (
            *(bound_m - centre_margin_m for bound_m in low_m),
            *(bound_m + centre_margin_m for bound_m in high_m)))

    def forward(self, features: List[Float[Tensor, 'b c y x']]) -> TransFusionOutput:
        """Runs the head up to its raw predictions; all but the shared convolution in float32.

        Args:
            features: one map (B, C, Y, X).

        Raises:
            ValueError: if it is not one map on the grid.
        """
        bev = self.shared_conv(self.bev_grid.only_map(features, 'GeminiTransFusionHead'))
        with float32_region(bev):
            bev = bev.float()
            queries = self.query_init(bev)
            decoded = self.decoder(queries.features, queries.centre_xy_cells,
                                   bev.flatten(2).transpose(1, 2), self.query_init.cell_xy_cells)
            prediction = self.prediction(decoded, queries.centre_xy_cells)
        return TransFusionOutput(
            heatmap_logits=queries.heatmap_logits, query_classes=queries.classes,
            query_scores=queries.scores, class_logits=prediction.class_logits, codes=prediction.codes)

    def loss(self, features: List[Float[Tensor, 'b c y x']], samples: List[Det3DDataSample]
             ) -> Dict[str, Float[Tensor, '']]:
        """Returns the losses, and the mean overlap of matched boxes for the log.

        Args:
            features: one map (B, C, Y, X).
            samples: with `gt_instances_3d`.
        """
        output = self(features)
        with float32_region(output.codes):
            return self.loss_by_output(output, [sample.gt_instances_3d for sample in samples])

    def loss_by_output(self, output: TransFusionOutput, ground_truth: Sequence[InstanceData]
                       ) -> Dict[str, Float[Tensor, '']]:
        """Returns the losses of raw predictions; see `loss`."""
        targets = self.target_maker.make(output.codes, output.class_logits, ground_truth)
        heatmap = output.heatmap_logits.sigmoid().clamp(1e-4, 1 - 1e-4)
        weights = targets.is_assigned.unsqueeze(-1) * self.code_weights
        # One-hot targets: for class indices on a GPU mmdet would call a compiled operator.
        loss_cls = self.loss_cls(output.class_logits.flatten(0, 1), targets.classes.flatten(0, 1),
                                 avg_factor=targets.num_assigned)
        return dict(loss_heatmap=self.loss_heatmap(heatmap, targets.heatmap,
                                                   avg_factor=targets.num_peaks),
                    loss_cls=loss_cls,
                    loss_bbox=self.loss_bbox(output.codes, targets.codes, weights,
                                             avg_factor=targets.num_assigned),
                    matched_iou=targets.mean_iou)

    def predict(self, features: List[Float[Tensor, 'b c y x']], samples: List[Det3DDataSample]
                ) -> List[InstanceData]:
        """Returns the boxes of each sample, on the CPU: (N, 9) bottom-centre boxes in the LiDAR frame.

        Args:
            features: one map (B, C, Y, X).
            samples: whose metainfo names the type of boxes.
        """
        output = self(features)
        boxes = BoxCoder(self.bev_grid).decode(output.codes)
        scores = output.scores()
        low_m, high_m = constant_like(self.centre_range_m, boxes).chunk(2)
        is_kept = (((boxes[..., :3] >= low_m) & (boxes[..., :3] <= high_m)).all(-1)
                   & (scores >= self.score_threshold))
        # One copy to the CPU, where a choice of boxes waits for nothing, and where they stay.
        numbers = (scores, output.query_classes.to(boxes), is_kept.to(boxes))
        table = torch.cat([boxes, torch.stack(numbers, dim=-1)], dim=-1).detach().cpu()
        found = [rows[rows[:, -1] > 0] for rows in table]
        return [InstanceData(bboxes_3d=sample.metainfo['box_type_3d'](rows[:, :9], box_dim=9),
                             scores_3d=rows[:, 9], labels_3d=rows[:, 10].long())
                for sample, rows in zip(samples, found)]
