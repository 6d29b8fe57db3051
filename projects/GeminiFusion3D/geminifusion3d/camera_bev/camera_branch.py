"""The camera branch: images -> backbone, neck -> depth x context -> lift -> splat -> camera BEV.

Source: Lift, Splat, Shoot (Philion and Fidler, ECCV 2020). What tells the depth is up to a subclass.
"""
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple

import torch
from jaxtyping import Float
from mmdet3d.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor

from ..geometry.bev_grid import BEVGrid
from ..geometry.camera_rig import CameraRig
from ..ops.splat_plan import SplatPlan, join_plans
from .bev_downsample import bev_downsample
from .bev_pool import plan_pool, pool_to_bev
from .bevfusion_frustum import BEVFusionFrustum
from .depth_image import nearest_depth_images
from .depth_loss import depth_loss
from .lift import Frustum, frustum_cells
from .plan_cache import PlanCache
from .pretrained import load_pretrained, pretrained_config

FRUSTUMS = dict(centres=Frustum, bevfusion=BEVFusionFrustum)


class CameraBEV(NamedTuple):
    """What the camera branch returns.

    Attributes:
        bev: the map.
        depth: probability of each depth bin at each feature pixel.
        lidar_depth_m: depth of the nearest LiDAR return at each image pixel, 0 where there is none;
            None where nobody reads it.
    """

    bev: Float[Tensor, 'b c y x']
    depth: Float[Tensor, 'bn d h w']
    lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']] = None


class LiftSplatBranch(BaseModule):
    """Lifts images by lift-splat; a subclass builds and runs what predicts depth and context.

    Args:
        backbone: an image backbone of the host's registry.
        neck: a GeminiImageNeck, or a neck of the host's registry, of which the finest level is read.
        bev_grid: the grid of the map.
        depth_range_m: near and far end of the depth bins.
        depth_bins: number of equal bins.
        out_channels: channels of the camera BEV.
        average: divide each cell's sum by the depth mass in it. A near cell collects hundreds of
            times as many pixels as a far one; the plain sum of Lift, Splat, Shoot leaves it to a
            long training to even that out.
        downsample: 2 splats on cells half as large and convolves them to the grid; 1 does not.
        lift_z_m: lowest and highest point to splat; the grid's range where None.
        convention: 'centres', or 'bevfusion' for weights of that project (see bevfusion_frustum.py).
        depth_loss_weight: of BEVDepth's loss, 3.0 there; 0 leaves it out. Training then reads points.
        cached_calibrations: of how many samples' cameras to keep where their pixels fall, in evaluation
            mode; worth it for a rig whose calibration stays the same (see plan_cache.py).

    Raises:
        ValueError: if an argument is out of its range.
    """

    reads_lidar = False

    def __init__(self, *, backbone: Dict[str, Any], neck: Dict[str, Any], bev_grid: BEVGrid,
                 depth_range_m: Sequence[float], depth_bins: int, out_channels: int,
                 average: bool = False, downsample: int = 1,
                 lift_z_m: Optional[Sequence[float]] = None, convention: str = 'centres',
                 depth_loss_weight: float = 0.0, cached_calibrations: int = 0) -> None:
        super().__init__()
        if convention not in FRUSTUMS:
            raise ValueError(f'convention must be one of {list(FRUSTUMS)}, got {convention!r}')
        self.bev_grid = bev_grid
        self.average = average
        self.depth_loss_weight = depth_loss_weight
        self.frustum = FRUSTUMS[convention](tuple(depth_range_m), depth_bins)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.build_depth(self.neck.out_channels, depth_bins, out_channels)
        self.downsample = bev_downsample(out_channels, downsample)
        self.splat_grid = _splat_grid(bev_grid, downsample, lift_z_m)
        self.plan_cache = PlanCache(cached_calibrations)

    def init_weights(self) -> None:
        """Initialises as the host does; a backbone with pretrained weights gets them, see pretrained.py."""
        config = pretrained_config(self.backbone)
        if config is not None and not self.backbone.is_init:
            load_pretrained(self.backbone, config)
            # The host shall neither load once more nor start from random weights.
            self.backbone.is_init = True
        super().init_weights()

    def build_depth(self, in_channels: int, depth_bins: int, context_channels: int) -> None:
        """Builds what predict_depth runs."""
        raise NotImplementedError

    def predict_depth(self, features: Float[Tensor, 'n c_in h w'],
                      lidar_depth_m: Optional[Float[Tensor, 'b n_cam height width']]
                      ) -> Tuple[Float[Tensor, 'n d h w'], Float[Tensor, 'n c h w']]:
        """Returns depth probabilities in float32 and the context to lift."""
        raise NotImplementedError

    def forward(self, images: Float[Tensor, 'b n_cam 3 h w'], rig: CameraRig,
                points: Optional[Sequence[Tensor]] = None) -> CameraBEV:
        """Returns the camera BEV and the depth behind it.

        Args:
            images: normalised images; those of missing cameras reach no cell.
            rig: the cameras.
            points: one (N_i, F) cloud a sample, in the augmented LiDAR frame; read for depth only.
        """
        image_hw = tuple(images.shape[-2:])
        lidar_depth_m = self._lidar_depth(rig, points, image_hw)
        images = images.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        features = _finest(self.neck(self.backbone(images)))
        feature_hw = tuple(features.shape[-2:])
        _check_divides(image_hw, feature_hw)
        depth, context = self.predict_depth(features, lidar_depth_m)
        plan = self._plan(rig, image_hw, feature_hw)
        bev = pool_to_bev(context, depth, plan, self.splat_grid, average=self.average)
        return CameraBEV(self.downsample(bev), depth, lidar_depth_m)

    def loss(self, camera: CameraBEV) -> Dict[str, Tensor]:
        """Returns the loss of the depth where it is supervised.

        Args:
            camera: what forward returned in training mode.
        """
        if not self.depth_loss_weight:
            return {}
        loss = depth_loss(camera.depth, camera.lidar_depth_m, self.frustum)
        return dict(loss_depth=self.depth_loss_weight * loss)

    def _plan(self, rig: CameraRig, image_hw: Tuple[int, int], feature_hw: Tuple[int, int]) -> SplatPlan:
        """Says which cells the pixels of a batch fall into; remembers it sample by sample, if it shall."""
        def make(rig: CameraRig) -> SplatPlan:
            cells = frustum_cells(rig, self.splat_grid, self.frustum, image_hw, feature_hw)
            return plan_pool(cells, feature_hw, self.splat_grid)

        if self.training or not self.plan_cache.capacity:
            return make(rig)
        place = (self.splat_grid, self.frustum, image_hw, feature_hw, str(rig.lidar_from_ray.device))
        return join_plans([
            self.plan_cache.get((fingerprint, *place), lambda sample=sample: make(rig.of_sample(sample)))
            for sample, fingerprint in enumerate(rig.fingerprints)])

    def _lidar_depth(self, rig: CameraRig, points: Optional[Sequence[Tensor]], image_hw: Tuple[int, int]
                     ) -> Optional[Tensor]:
        is_supervised = self.training and self.depth_loss_weight > 0
        if not self.reads_lidar and not is_supervised:
            return None
        if points is None:
            raise ValueError('the camera branch draws LiDAR points into the images, got none; add '
                             'GeminiLoadPoints to the pipeline and points to the keys that it packs')
        return nearest_depth_images(rig, points, image_hw, to_corner_px=self.frustum.to_corner_px)


def _splat_grid(bev_grid: BEVGrid, downsample: int, lift_z_m: Optional[Sequence[float]]) -> BEVGrid:
    low_m, high_m = bev_grid.range_m[:3], bev_grid.range_m[3:]
    z_low_m, z_high_m = lift_z_m or (low_m[2], high_m[2])
    return BEVGrid(range_m=(*low_m[:2], z_low_m, *high_m[:2], z_high_m),
                   cell_m=bev_grid.cell_m / downsample)


def _finest(levels: Any) -> Tensor:
    return levels if torch.is_tensor(levels) else levels[0]


def _check_divides(image_hw: Tuple[int, int], feature_hw: Tuple[int, int]) -> None:
    """Refuses an image that the network pads: its features would not stand where they seem to."""
    stride = image_hw[0] // feature_hw[0]
    if (feature_hw[0] * stride, feature_hw[1] * stride) != image_hw:
        raise ValueError(f'images of {image_hw} pixels do not divide into a feature map of '
                         f'{feature_hw}; make height and width multiples of the stride '
                         'of the image backbone')
