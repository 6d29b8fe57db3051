"""A detector with the inputs and outputs of `autoware_bevfusion`, a ROS 2 node of Autoware.

    bevfusion_image_backbone.onnx  imgs                                   -> image_feats
    bevfusion_from_lidar_bev.onnx  lidar_bev, image_feats, points, ...    -> bbox_pred, score, label_pred

Names, layouts and types are those which the node binds, but for `lidar_bev`: `autoware_encoder` puts the
graph from `voxels`, `coors` and `num_points_per_voxel` to it in front, as bevfusion_camera_lidar.onnx.
Source: autoware_universe, perception/autoware_bevfusion (lib/bevfusion_trt.cpp,
lib/preprocess/precomputed_features.cpp, lib/postprocess/postprocess_kernel.cu).
"""
from typing import Dict, List, Tuple

import torch
from torch import Tensor, nn

from ..camera_bev.bev_pool import LEAST_MASS
from ..camera_bev.depth_image import depth_images
from ..errors import UserError
from ..geometry.camera_rig import CameraRig
from ..heads.transfusion_head import GeminiTransFusionHead
from ..modalities import CAMERA, LIDAR
from .onnx_export import BEVPart, Part, channels_of

# The graph behind the sparse encoder, and the whole of it.
REST, WHOLE = 'bevfusion_from_lidar_bev', 'bevfusion_camera_lidar'
# What the first axis of an input counts; outputs are of one sample.
AXES = dict(imgs='num_imgs', image_feats='num_imgs', lidar2image='num_imgs', img_aug_matrix='num_imgs',
            points='num_points', geom_feats='num_kept', ranks='num_kept', indices='num_kept',
            kept='num_geom_feats', lidar_bev='', bbox_pred='', score='', label_pred='')


class AutowareImageBackbone(nn.Module):
    """Images as a camera delivers them to the features that are lifted.

    Args:
        detector: a GeminiFusion3D with cameras.
    """

    names = ['image_feats']

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.branch = detector.camera_branch
        self.register_buffer('mean', detector.data_preprocessor.mean)
        self.register_buffer('std', detector.data_preprocessor.std)

    def forward(self, imgs: Tensor) -> Tuple[Tensor]:
        """Return image_feats (N, C, h, w).

        Args:
            imgs: (N, 3, H, W) uint8, in the channel order of `mean`: RGB.
        """
        levels = self.branch.neck(self.branch.backbone((imgs.float() - self.mean) / self.std))
        return (levels if torch.is_tensor(levels) else levels[0],)


class AutowareCameraLidar(nn.Module):
    """The rest of the detector on one sample, from the geometry that the node computes once.

    Args:
        detector: a GeminiFusion3D with cameras, LiDAR and GeminiTransFusionHead.
        image_hw: height and width of an image in pixels.
    """

    names = ['bbox_pred', 'score', 'label_pred']

    def __init__(self, detector: nn.Module, image_hw: Tuple[int, int]) -> None:
        super().__init__()
        self.bev = BEVPart(detector)
        self.branch, self.image_hw = detector.camera_branch, image_hw

    def forward(self, lidar_bev: Tensor, points: Tensor, lidar2image: Tensor, img_aug_matrix: Tensor,
                geom_feats: Tensor, kept: Tensor, ranks: Tensor, indices: Tensor, image_feats: Tensor
                ) -> Tuple[Tensor, Tensor, Tensor]:
        """Return box codes (10, Q) as BoxCoder writes them, scores (Q,) and int64 labels (Q,).

        Args:
            lidar_bev: (1, C, Y, X), the map of the LiDAR branch.
            points: (P, F) x, y, z and more in the LiDAR frame; read where the branch draws depth images.
            lidar2image: (N, 4, 4) LiDAR frame to pixels of the camera's image.
            img_aug_matrix: (N, 4, 4) these pixels to those of the resized and cropped one.
            geom_feats: (K, 4) int32 x, y, z, sample: the cell of each (camera, depth bin, row, column) that
                falls into the grid, in the order of ranks.
            kept: (N * D * h * w,) booleans: which those are.
            ranks: (K,) int64 numbers of the cells, ascending; says no more than geom_feats.
            indices: (K,) int64 place of each among the kept.
            image_feats: (N, C, h, w).
        """
        depth_m = None
        if self.branch.reads_lidar:
            depth_m = self._depth_images(points, lidar2image, img_aug_matrix)
        lifted = self.branch.predict_depth(image_feats, depth_m)
        splat = self._splat(lifted.depth_probability, lifted.context, geom_feats, kept, indices)
        output = self.bev.predict(splat, lidar_bev)
        return output.codes[0].T, output.scores()[0], output.query_classes[0]

    def _depth_images(self, points: Tensor, lidar2image: Tensor, img_aug_matrix: Tensor) -> Tensor:
        turn, shift = img_aug_matrix[:, :2, :2], img_aug_matrix[:, :2, 3:]
        if not self.branch.corner_pixels:
            # The node moves corners of pixels; see CameraRig.
            shift = shift + turn.sum(2, keepdim=True) / 2 - 0.5
        uv, depth = lidar2image[:, :2], lidar2image[:, 2:3]
        ray_from_lidar = torch.cat([turn @ uv + shift * depth, lidar2image[:, 2:]], dim=1).unsqueeze(0)
        rig = CameraRig(lidar_from_ray=ray_from_lidar, ray_from_lidar=ray_from_lidar, fingerprints=(),
                        is_present=torch.ones_like(ray_from_lidar[..., 0, 0], dtype=torch.bool))
        return depth_images(rig, [points], self.image_hw, corner_pixels=self.branch.corner_pixels,
                            returns=self.branch.depth_image)

    def _splat(self, probability: Tensor, context: Tensor, geom_feats: Tensor, kept: Tensor, indices: Tensor
               ) -> Tensor:
        grid, (depths, height, width) = self.branch.splat_grid, probability.shape[1:]
        pair = kept.nonzero().squeeze(1).index_select(0, indices)
        cameras, area = pair // (depths * height * width), height * width
        weight = probability.flatten().index_select(0, pair).unsqueeze(1)
        # Depths are summed from the flat number of each pair, for no tensor holds a feature for every pair.
        pixels = context.flatten(2).transpose(1, 2).flatten(0, 1)
        rows = pixels.index_select(0, cameras * area + pair % area) * weight
        if self.branch.average:
            rows = torch.cat([rows, weight], dim=1)
        cells = geom_feats[:, 1].long() * grid.n_x + geom_feats[:, 0].long()
        # Not index_put, which torch's exporter writes without the sum.
        bev = rows.new_zeros(grid.n_y * grid.n_x, rows.shape[1]).scatter_add(
            0, cells.unsqueeze(1).expand(-1, rows.shape[1]), rows)
        if self.branch.average:
            bev = bev[:, :-1] / bev[:, -1:].clamp(min=LEAST_MASS)
        return bev.T.unflatten(1, grid.shape_yx).unsqueeze(0)


def autoware_parts(detector: nn.Module, *, image_hw: Tuple[int, int], cameras: int) -> List[Part]:
    """Return the two parts with inputs drawn at random.

    Args:
        detector: a GeminiFusion3D, in evaluation mode.
        image_hw: height and width of an image in pixels.
        cameras: how many images are traced.

    Raises:
        UserError: if the detector is not one of cameras, LiDAR and a TransFusion head, or measures motion.
    """
    if detector.sensors != (CAMERA, LIDAR) or not isinstance(detector.bbox_head, GeminiTransFusionHead):
        raise UserError('--autoware needs a recipe with camera_branch, lidar_branch and '
                        f'GeminiTransFusionHead, got {", ".join(detector.sensors)} and '
                        f'{type(detector.bbox_head).__name__}; choose a ..._transfusion_... recipe')
    if detector.motion is not None:
        raise UserError(f'--autoware got a model with motion={type(detector.motion).__name__}, whose map the '
                        'node does not hand over; expected motion=None: train a recipe without it')
    backbone = AutowareImageBackbone(detector).eval()
    images = [dict(imgs=torch.randint(256, (number, 3, *image_hw), dtype=torch.uint8,
                                      generator=torch.Generator().manual_seed(number)))
              for number in (cameras, cameras + 1)]
    with torch.no_grad():
        features, = backbone(images[0]['imgs'])
    samples = [_node_inputs(detector, image_hw, number, tuple(features.shape[1:]))
               for number in (cameras, cameras + 1)]
    return [Part('bevfusion_image_backbone', backbone, *images, AXES),
            Part(REST, AutowareCameraLidar(detector, image_hw).eval(), *samples, AXES)]


def _node_inputs(detector: nn.Module, image_hw: Tuple[int, int], cameras: int, feature_chw: Tuple[int, ...]
                 ) -> Dict[str, Tensor]:
    """Returns what the node binds, for cameras that all look along x and cells that are drawn."""
    generator = torch.Generator().manual_seed(cameras)
    branch, (height, width) = detector.camera_branch, image_hw
    grid, align = branch.splat_grid, detector.lidar_align
    pairs = cameras * branch.frustum.depth_bins * feature_chw[1] * feature_chw[2]
    kept = torch.rand(pairs, generator=generator) < 0.5
    n_kept = int(kept.sum())
    ranks, indices = torch.randint(grid.n_x * grid.n_y, (n_kept,), generator=generator).sort()
    x, y = ranks // grid.n_y, ranks % grid.n_y
    lidar2image = torch.tensor([[width / 2, -width / 2, 0, 0], [height / 2, 0, -height / 2, 0], [1, 0, 0, 0],
                                [0, 0, 0, 1]])
    low, high = (torch.tensor(grid.range_m[side]) for side in (slice(3), slice(3, 6)))
    places = low + torch.rand(1000 * cameras, 3, generator=generator) * (high - low)
    return dict(
        lidar_bev=torch.randn(1, channels_of(align), *align.branch_grid.shape_yx, generator=generator),
        points=torch.cat([places, torch.rand(len(places), 2, generator=generator)], dim=1),
        lidar2image=lidar2image.repeat(cameras, 1, 1),
        img_aug_matrix=torch.eye(4).repeat(cameras, 1, 1),
        geom_feats=torch.stack([x, y, x * 0, x * 0], dim=1).int(), kept=kept, ranks=ranks, indices=indices,
        image_feats=torch.randn(cameras, *feature_chw, generator=generator))
