"""Draws the LiDAR points into the images: the depth of the nearest return at each pixel.

Source: BEVFusion (Liu et al., ICRA 2023), mmdet3d v1.4.0 projects/BEVFusion/bevfusion/depth_lss.py.
Delta: there the last point of a pixel wins and points behind the camera are moved in front of it; here
the nearest return wins and points behind are dropped.
"""
from typing import Sequence, Tuple

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry.camera_rig import CameraRig


@torch.no_grad()
def nearest_depth_images(rig: CameraRig, points: Sequence[Tensor], image_hw: Tuple[int, int], *,
                         to_corner_px: float) -> Float[Tensor, 'b n_cam h w']:
    """Returns the depth in metres at each pixel, 0 where no point falls and where a camera is missing.

    In float32 under any autocast. Depth is measured along the optical axis, before scene augmentation.

    Args:
        rig: the cameras.
        points: one (N_i, 3 or more) cloud a sample, in the augmented LiDAR frame.
        image_hw: rows and columns of an image.
        to_corner_px: how far the upper left corner of a pixel lies from its integer coordinate.

    Raises:
        ValueError: if there is not one cloud a sample.
    """
    if len(points) != len(rig.is_present):
        raise ValueError(f'depth images need one cloud a sample, got {len(points)} clouds and '
                         f'{len(rig.is_present)} samples; load points in the pipeline')
    device = rig.lidar_from_ray.device
    with torch.autocast(device.type, enabled=False):
        images = torch.stack([_nearest(rig.project(sample, cloud[:, :3].float()), image_hw, to_corner_px)
                              for sample, cloud in enumerate(points)])
    return images.where(rig.is_present[:, :, None, None], images.new_zeros(()))


def _nearest(uv_depth: Float[Tensor, 'n_cam n 3'], image_hw: Tuple[int, int], to_corner_px: float
             ) -> Float[Tensor, 'n_cam h w']:
    height, width = image_hw
    # Compared before the conversion: a point near the camera's plane projects beyond any integer.
    column, row = (uv_depth[..., :2] + to_corner_px).floor().unbind(-1)
    depth_m = uv_depth[..., 2]
    is_seen = (depth_m > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    camera = torch.arange(len(uv_depth), device=uv_depth.device).unsqueeze(1).expand_as(column)[is_seen]
    pixel = (camera * height + row[is_seen].long()) * width + column[is_seen].long()
    nearest_m = depth_m.new_full((len(uv_depth) * height * width,), float('inf'))
    nearest_m = nearest_m.scatter_reduce(0, pixel, depth_m[is_seen], 'amin')
    return nearest_m.where(nearest_m.isfinite(), nearest_m.new_zeros(())).view(-1, height, width)
