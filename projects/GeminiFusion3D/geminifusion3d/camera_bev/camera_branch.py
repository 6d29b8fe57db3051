"""The camera branch: images -> backbone, neck -> depth x context -> lift -> splat -> camera BEV.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020), section 3.1. A subclass of LiftSplatBranch
decides from what the depth is predicted: CameraBranch from the image alone.
"""
from functools import partial
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from jaxtyping import Float
from mmcv.cnn import ConvModule
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from ..errors import check_choice
from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig
from ..ops.splat_plan import SplatPlan, join_plans
from .bev_pool import PlanCache, plan_pool, pool_to_bev
from .depth_image import depth_images, depth_loss
from .lift import BEVFusionFrustum, Frustum, frustum_cells
from .pretrained import load_pretrained, pretrained_config

FRUSTUMS = dict(centres=Frustum, bevfusion=BEVFusionFrustum)


class CameraBEV(NamedTuple):
    """What the camera branch returns.

    Attributes:
        bev: the map.
        depth_probability: of each depth bin at each feature pixel, in float32.
        lidar_depth_m: depth of the LiDAR return at each image pixel, 0 where there is none; None where
            nothing reads it.
    """

    bev: Float[Tensor, 'b c y x']
    depth_probability: Float[Tensor, 'bn d h w']
    lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']] = None


class DepthAndContext(NamedTuple):
    """What is lifted.

    Attributes:
        depth_probability: sums to 1 over the depth bins, in float32.
        context: feature of each pixel.
    """

    depth_probability: Float[Tensor, 'n d h w']
    context: Float[Tensor, 'n c h w']

    @classmethod
    def from_logits(cls, predicted: Float[Tensor, 'n d_plus_c h w'], depth_bins: int) -> 'DepthAndContext':
        """Splits the channels of a last convolution: depth logits first, then the context."""
        return cls(predicted[:, :depth_bins].float().softmax(dim=1), predicted[:, depth_bins:])


class LiftSplatBranch(BaseModule):
    """Lifts images by lift-splat; a subclass builds and runs what predicts depth and context.

    Args:
        backbone: an image backbone of mmdet3d's registry.
        neck: a GeminiImageNeck, or a neck of mmdet3d's registry, of which the finest level is read.
        bev_grid: the grid of the map.
        depth_range_m: near and far end of the depth bins.
        depth_bins: number of equal bins.
        out_channels: channels of the camera BEV.
        average: divide each cell's sum by the sum of its depth probabilities. A near cell collects
            hundreds of times as many pixels as a far one; the plain sum of Lift, Splat, Shoot needs a
            long training to compensate for that.
        downsample: 2 splats on cells half as large and convolves them to the grid; 1 does not.
        lift_z_m: lowest and highest point to splat; the grid's range where None.
        convention: 'centres', or 'bevfusion' for weights of that project (see BEVFusionFrustum).
        depth_image: which LiDAR return a pixel of the depth image shows: 'nearest', or 'last' in the order
            of the cloud, as BEVFusion does.
        depth_loss_weight: of BEVDepth's loss, 3.0 there; 0 leaves it out. Training then reads points.
        cached_calibrations: number of samples' calibrations of which to cache the cells of the pixels, in
            evaluation mode; useful for a rig whose calibration stays the same (see plan_cache.py).

    Raises:
        ValueError: if an argument is out of its range.
    """

    reads_lidar = False

    def __init__(self, *, backbone: Dict[str, Any], neck: Dict[str, Any], bev_grid: BEVGrid,
                 depth_range_m: Sequence[float], depth_bins: int, out_channels: int,
                 average: bool = False, downsample: int = 1,
                 lift_z_m: Optional[Sequence[float]] = None, convention: str = 'centres',
                 depth_image: str = 'nearest', depth_loss_weight: float = 0.0,
                 cached_calibrations: int = 0) -> None:
        super().__init__()
        check_choice('convention', convention, FRUSTUMS)
        self.bev_grid = bev_grid
        self.average = average
        self.depth_image = check_choice('depth_image', depth_image, ('nearest', 'last'))
        self.depth_loss_weight = depth_loss_weight
        self.frustum = FRUSTUMS[convention](tuple(depth_range_m), depth_bins)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.build_depth(self.neck.out_channels, depth_bins, out_channels)
        self.downsample = _downsample(out_channels, downsample)
        self.splat_grid = _splat_grid(bev_grid, downsample, lift_z_m)
        self.plan_cache = PlanCache(cached_calibrations)

    @property
    def corner_pixels(self) -> bool:
        """Which pixel coordinates the CameraRig of this branch must use; see CameraRig.from_metas."""
        return self.frustum.corner_pixels

    def init_weights(self) -> None:
        """Initialises as mmengine does; a backbone with pretrained weights gets them, see pretrained.py."""
        config = pretrained_config(self.backbone)
        if config is not None and not self.backbone.is_init:
            load_pretrained(self.backbone, config)
            # mmengine must neither load once more nor start from random weights.
            self.backbone.is_init = True
        super().init_weights()

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds what predict_depth runs."""
        raise NotImplementedError(f'{type(self).__name__} must build what predicts its depth')

    def predict_depth(self, features: Float[Tensor, 'n c_in h w'],
                      lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']]) -> DepthAndContext:
        """Returns what to lift.

        Args:
            features: image features, n = b * n_cam.
            lidar_depth_m: depth images where they are drawn, else None.
        """
        raise NotImplementedError(f'{type(self).__name__} must predict its depth')

    def forward(self, images: Float[Tensor, 'b n_cam 3 height width'], rig: CameraRig,
                points: Optional[Sequence[Float[Tensor, '_ f']]] = None) -> CameraBEV:
        """Returns the camera BEV and the depth behind it.

        Args:
            images: normalised images; those of missing cameras reach no cell.
            rig: the cameras.
            points: per sample one cloud in the augmented LiDAR frame; read for depth only.
        """
        height, width = images.shape[-2:]
        lidar_depth_m = self._lidar_depth(rig, points, (height, width))
        images = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = _finest(self.neck(self.backbone(images)))
        rows, columns = features.shape[-2:]
        _check_divides((height, width), (rows, columns))
        lifted = self.predict_depth(features, lidar_depth_m)
        plan = self._plan(rig, (height, width), (rows, columns))
        bev = pool_to_bev(lifted.context, lifted.depth_probability, plan, self.splat_grid,
                          average=self.average)
        return CameraBEV(self.downsample(bev), lifted.depth_probability, lidar_depth_m)

    def loss(self, camera: CameraBEV) -> Dict[str, Float[Tensor, '']]:
        """Returns the loss of the depth where it is supervised."""
        if not self.depth_loss_weight or camera.lidar_depth_m is None:
            return {}
        loss = depth_loss(camera.depth_probability, camera.lidar_depth_m, self.frustum)
        return dict(loss_depth=self.depth_loss_weight * loss)

    def _plan(self, rig: CameraRig, image_hw: Tuple[int, int], feature_hw: Tuple[int, int]) -> SplatPlan:
        """Returns the cells that the pixels of a batch fall into; sample by sample from the cache."""
        def make(rig: CameraRig) -> SplatPlan:
            cells = frustum_cells(rig, self.splat_grid, self.frustum, image_hw, feature_hw)
            return plan_pool(cells, feature_hw, self.splat_grid)

        if self.training or not self.plan_cache.capacity:
            return make(rig)
        key = (self.splat_grid, self.frustum, image_hw, feature_hw, str(rig.lidar_from_ray.device))
        return join_plans([
            self.plan_cache.get((fingerprint, *key), partial(make, rig.of_sample(sample)))
            for sample, fingerprint in enumerate(rig.fingerprints)])

    def _lidar_depth(self, rig: CameraRig, points: Optional[Sequence[Float[Tensor, '_ f']]],
                     image_hw: Tuple[int, int]) -> Optional[Float[Tensor, 'b n_cam height width']]:
        is_supervised = self.training and self.depth_loss_weight > 0
        if not self.reads_lidar and not is_supervised:
            return None
        if points is None:
            raise ValueError('the camera branch draws LiDAR points into the images, got none; add '
                             'GeminiLoadPoints to the pipeline and points to the keys that it packs')
        return depth_images(rig, points, image_hw, corner_pixels=self.corner_pixels, returns=self.depth_image)


@MODELS.register_module(name='GeminiCameraBranch')
class CameraBranch(LiftSplatBranch):
    """Predicts depth from the image alone; LiftSplatBranch lists the arguments."""

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds the depth net."""
        self.depth_net = DepthNet(in_channels=in_channels, depth_bins=depth_bins,
                                  context_channels=context_channels)

    def predict_depth(self, features: Float[Tensor, 'n c_in h w'],
                      lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']]) -> DepthAndContext:
        """Returns what to lift.

        Args:
            features: image features, n = b * n_cam.
            lidar_depth_m: depth images for the loss, not read here.
        """
        return self.depth_net(features)


@MODELS.register_module(name='GeminiLSSBranch')
class LSSBranch(CameraBranch):
    """Predicts depth and context by one 1x1 convolution: MIT's LSSTransform, whose name the weights have."""

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds the convolution; arguments as those of CameraBranch."""
        self.depth_bins = depth_bins
        self.depthnet = nn.Conv2d(in_channels, depth_bins + context_channels, 1)

    def predict_depth(self, features: Float[Tensor, 'n c_in h w'],
                      lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']]) -> DepthAndContext:
        """Returns what to lift; arguments as those of CameraBranch."""
        return DepthAndContext.from_logits(self.depthnet(features), self.depth_bins)


class DepthNet(nn.Module):
    """One 3x3 convolution, then one 1x1 for depth logits and context together.

    Args:
        in_channels: channels of the image feature.
        depth_bins: number of depth bins.
        context_channels: channels to lift.
    """

    def __init__(self, *, in_channels: int, depth_bins: int, context_channels: int) -> None:
        super().__init__()
        self.depth_bins = depth_bins
        self.trunk = ConvModule(in_channels, in_channels, 3, padding=1, bias=False,
                                norm_cfg=dict(type='BN2d'))
        self.predict = nn.Conv2d(in_channels, depth_bins + context_channels, 1)

    def forward(self, features: Float[Tensor, 'n c_in h w']) -> DepthAndContext:
        """Returns what to lift.

        Args:
            features: image features.
        """
        return DepthAndContext.from_logits(self.predict(self.trunk(features)), self.depth_bins)


def _downsample(channels: int, factor: int) -> nn.Module:
    """Returns three 3x3 convolutions of which the middle one strides, or nothing for factor 1.

    The layers and their order are those of mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py, so that
    weights carry over once their kernels are turned from (X, Y) to (Y, X).
    """
    if factor not in (1, 2):
        raise ValueError('the camera branch splats on the grid itself or on cells half as large: '
                         f'downsample must be 1 or 2, got {factor}')
    if factor == 1:
        return nn.Identity()
    layers: List[nn.Module] = []
    for stride in (1, factor, 1):
        layers += [nn.Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False),
                   nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _splat_grid(bev_grid: BEVGrid, downsample: int, lift_z_m: Optional[Sequence[float]]) -> BEVGrid:
    low_m, high_m = bev_grid.range_m[:3], bev_grid.range_m[3:]
    z_low_m, z_high_m = lift_z_m or (low_m[2], high_m[2])
    return BEVGrid(range_m=(*low_m[:2], z_low_m, *high_m[:2], z_high_m), cell_m=bev_grid.cell_m / downsample)


def _finest(levels: Any) -> Float[Tensor, 'n c h w']:
    return levels if torch.is_tensor(levels) else levels[0]


def _check_divides(image_hw: Tuple[int, int], feature_hw: Tuple[int, int]) -> None:
    """Refuses an image that the network pads: its features would not stand where they seem to."""
    stride = image_hw[0] // feature_hw[0]
    if (feature_hw[0] * stride, feature_hw[1] * stride) != image_hw:
        raise ValueError(f'images of {image_hw} pixels do not divide into a feature map of '
                         f'{feature_hw}; make height and width multiples of the stride of the image backbone')
