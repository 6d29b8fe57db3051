"""The depth of LiDAR returns in the images: drawn at each pixel, and the loss by the nearest of a cell.

Source of the drawing: BEVFusion (Liu et al., ICRA 2023), mmdet3d v1.4.0
projects/BEVFusion/bevfusion/depth_lss.py, where the last point of a pixel in the order of the cloud wins;
by default the nearest wins here. Points behind the camera, which are moved in front of it there, are
dropped.

Source of the loss: BEVDepth (Li et al., AAAI 2023), section 3.2, and its code (exps/nuscenes/base_exp.py):
the one-hot bin of the nearest return, binary cross entropy summed over the bins, averaged over the feature
cells that hold a return.
"""
from typing import Sequence, Tuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from ..geometry.camera_rig import CameraRig
from .lift import Frustum


@torch.no_grad()
def depth_images(rig: CameraRig, points: Sequence[Float[Tensor, '_ f']], image_hw: Tuple[int, int], *,
                 corner_pixels: bool, returns: str = 'nearest') -> Float[Tensor, 'b n_cam h w']:
    """Returns the depth in metres at each pixel, 0 where no point falls and where a camera is missing.

    In float32 under any autocast, and without waiting for a GPU. Depth is measured along the optical axis,
    before scene augmentation.

    Args:
        rig: the cameras.
        points: per sample one cloud of x, y, z and more, in the augmented LiDAR frame.
        image_hw: rows and columns of an image.
        corner_pixels: whether integer coordinates are the upper left corners of pixels, not the centres.
        returns: which return a pixel shows, 'nearest' or 'last'.

    Raises:
        ValueError: if the number of clouds is not that of the samples.
    """
    if len(points) != len(rig.is_present):
        raise ValueError(f'depth images need one cloud per sample, got {len(points)} clouds and '
                         f'{len(rig.is_present)} samples; load points in the pipeline')
    device = rig.lidar_from_ray.device
    with torch.autocast(device.type, enabled=False):
        images = torch.stack([
            _draw(rig.project(sample, cloud[:, :3].float()), image_hw, corner_pixels, returns)
            for sample, cloud in enumerate(points)])
    return images.where(rig.is_present[:, :, None, None], images.new_zeros(()))


def _draw(uv_depth: Float[Tensor, 'n_cam n 3'], image_hw: Tuple[int, int], corner_pixels: bool, returns: str
          ) -> Float[Tensor, 'n_cam h w']:
    height, width = image_hw
    to_corner_px = 0.0 if corner_pixels else 0.5
    column, row = (uv_depth[..., :2] + to_corner_px).floor().unbind(-1)
    depth_m = uv_depth[..., 2]
    is_seen = (depth_m > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    # Points outside go to one pixel more: to choose the others would wait for a GPU. Numbered before the
    # conversion, because a point near the camera's plane projects beyond any integer.
    outside = height * width
    pixel = (row * width + column).where(is_seen, row.new_full((), outside)).long()
    # In one dimension: torch's ONNX exporter loses the shape of any other scatter.
    first = torch.arange(pixel.shape[0], device=pixel.device).unsqueeze(1) * (outside + 1)
    flat, cells = (pixel + first).flatten(), (pixel.shape[0] * (outside + 1),)
    if returns == 'nearest':
        drawn_m = depth_m.new_full(cells, float('inf')).scatter_reduce(0, flat, depth_m.flatten(), 'amin')
        is_drawn = drawn_m.isfinite()
    else:
        order = torch.arange(flat.shape[0], device=pixel.device)
        last = flat.new_full(cells, -1).scatter_reduce(0, flat, order, 'amax')
        is_drawn = last >= 0
        # A cloud without points has nothing to gather from.
        drawn_m = torch.cat([depth_m.flatten(), depth_m.new_zeros(1)]).index_select(0, last.clamp(min=0))
    drawn_m = drawn_m.where(is_drawn, drawn_m.new_zeros(()))
    return drawn_m.unflatten(0, (-1, outside + 1))[:, :outside].unflatten(1, image_hw)


# Of a feature cell without a return between the near and the far end of the bins.
NO_BIN = -1


def depth_loss(depth_probability: Float[Tensor, 'n d h w'],
               lidar_depth_m: Float[Tensor, 'b n_cam height width'], frustum: Frustum) -> Float[Tensor, '']:
    """Returns the loss in float32; zero, and still differentiable, where the LiDAR sees nothing.

    Args:
        depth_probability: of each depth bin, n = b * n_cam.
        lidar_depth_m: depth images at the resolution of the images, 0 where no point falls.
        frustum: the bins.
    """
    rows, columns = depth_probability.shape[-2:]
    bins = nearest_bins(lidar_depth_m.flatten(0, 1), frustum, (rows, columns))
    is_known = bins != NO_BIN
    with torch.autocast(depth_probability.device.type, enabled=False):
        known = depth_probability.float().permute(0, 2, 3, 1)[is_known]
        target = F.one_hot(bins[is_known], frustum.depth_bins).to(known)
        return F.binary_cross_entropy(known, target, reduction='sum') / is_known.sum().clamp(min=1)


def nearest_bins(depth_m: Float[Tensor, 'n height width'], frustum: Frustum,
                 feature_hw: Tuple[int, int]) -> Int[Tensor, 'n h w']:
    """Returns the bin of the nearest return in each feature cell, NO_BIN where there is none.

    Args:
        depth_m: depth images, 0 where no point falls.
        frustum: the bins.
        feature_hw: rows and columns of the feature map.
    """
    rows, columns = feature_hw
    blocks = depth_m.unflatten(2, (columns, -1)).unflatten(1, (rows, -1))
    nearest_m = blocks.where(blocks > 0, blocks.new_tensor(float('inf'))).amin(dim=(2, 4))
    position = (nearest_m - frustum.depth_range_m[0]) / frustum.bin_m
    is_inside = (position >= 0) & (position < frustum.depth_bins)
    return position.where(is_inside, position.new_tensor(float(NO_BIN))).long()
