"""The cameras of a batch as matrices, composed from the metainfo keys that mmdet3d's pipeline packs.

Chain of frames, right to left: augmented pixel -> pixel -> cam -> lidar -> augmented lidar. It is
composed in float64 on the CPU and handed to the device once, in float32.
"""
from dataclasses import dataclass
from typing import Any, Mapping, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..ops.device_constants import to_device


@dataclass(frozen=True)
class CameraRig:
    """Where each augmented pixel of each camera looks, in the (augmented) LiDAR frame.

    Attributes:
        lidar_from_ray: takes (u * d, v * d, d, 1), with (u, v) an augmented pixel and d its depth in
            metres along the optical axis, to the augmented LiDAR frame.
        ray_from_lidar: its inverse.
        is_present: False where a camera delivered no image.
        fingerprints: per sample, the bytes of its lidar_from_ray and is_present: equal only where all of
            their numbers are, and known without asking the device.
    """

    lidar_from_ray: Float[Tensor, 'b n_cam 4 4']
    ray_from_lidar: Float[Tensor, 'b n_cam 4 4']
    is_present: Bool[Tensor, 'b n_cam']
    fingerprints: Tuple[bytes, ...]

    @classmethod
    def from_metas(cls, metas: Sequence[Mapping[str, Any]], *, device: torch.device,
                   corner_pixels: bool = False) -> 'CameraRig':
        """Composes the chain from the metainfo that the pipeline wrote.

        Args:
            metas: per sample a mapping with `cam2img` (n_cam, 4, 4), `lidar2cam` (n_cam, 4, 4),
                `img_aug_matrix` (n_cam, 4, 4) and `lidar_aug_matrix` (4, 4); `camera_present`,
                n_cam booleans, only where a camera may be missing.
            device: where the features live.
            corner_pixels: resize, crop, flip and rotate (u, v) as if an integer coordinate were the upper
                left corner of its pixel, as BEVFusion does; else as what it is, the centre.

        Raises:
            ValueError: if a key is missing: the pipeline did not pack it.
        """
        chains = np.stack([_lidar_from_ray(meta, corner_pixels) for meta in metas])
        is_present = np.stack([np.asarray(meta.get('camera_present', [True] * len(chain)), dtype=bool)
                               for meta, chain in zip(metas, chains)])
        lidar_from_ray, ray_from_lidar = (
            chain.astype(np.float32) for chain in (chains, np.linalg.inv(chains)))
        return cls(lidar_from_ray=to_device(torch.from_numpy(lidar_from_ray), device),
                   ray_from_lidar=to_device(torch.from_numpy(ray_from_lidar), device),
                   is_present=to_device(torch.from_numpy(is_present), device),
                   fingerprints=tuple(chain.tobytes() + flags.tobytes()
                                      for chain, flags in zip(lidar_from_ray, is_present)))

    def of_sample(self, sample: int) -> 'CameraRig':
        """Returns the rig of one sample alone, as a batch of one.

        Args:
            sample: index in the batch.
        """
        one = slice(sample, sample + 1)
        return CameraRig(self.lidar_from_ray[one], self.ray_from_lidar[one], self.is_present[one],
                         self.fingerprints[one])

    def points_at(self, pixels: Float[Tensor, 'p 2'], depth_m: Float[Tensor, ' d']
                  ) -> Float[Tensor, 'b n_cam p d 3']:
        """Lifts pixels to 3D at each depth.

        Args:
            pixels: (u, v) in the augmented image; integer coordinates are pixel centres.
            depth_m: depths along the optical axis.
        """
        rays = torch.cat([pixels, pixels.new_ones(len(pixels), 1)], dim=1)
        directions = torch.einsum('bnij,pj->bnpi', self.lidar_from_ray[..., :3, :3], rays)
        origins = self.lidar_from_ray[..., :3, 3]
        # Each axis is contiguous in memory, because the points are read one axis after the other.
        axes = directions.movedim(-1, 0).unsqueeze(-1) * depth_m
        return axes.add_(origins.movedim(-1, 0)[..., None, None]).movedim(0, -1)

    def project(self, sample: int, points_m: Float[Tensor, 'n 3']) -> Float[Tensor, 'n_cam n 3']:
        """Returns (u, v, depth) of each point in each camera of one sample; the inverse of points_at.

        Args:
            sample: index in the batch.
            points_m: points in the augmented LiDAR frame.

        Returns:
            Augmented pixel and metres along the optical axis; the pixel of a point that is not in
            front of the camera is meaningless.
        """
        ray_from_lidar = self.ray_from_lidar[sample, :, :3]
        rays = torch.einsum('cij,nj->cni', ray_from_lidar[..., :3], points_m)
        rays = rays + ray_from_lidar[:, None, :, 3]
        return torch.cat([rays[..., :2] / rays[..., 2:], rays[..., 2:]], dim=-1)


def _lidar_from_ray(meta: Mapping[str, Any], corner_pixels: bool) -> Float[np.ndarray, 'n_cam 4 4']:
    missing = [key for key in ('cam2img', 'lidar2cam', 'img_aug_matrix', 'lidar_aug_matrix')
               if key not in meta]
    if missing:
        raise ValueError(f'the camera branch needs metainfo {missing}, got {sorted(meta)}; '
                         'add them to meta_keys of Pack3DDetInputs')
    img_from_cam = np.asarray(meta['cam2img'], dtype=np.float64)[:, :3, :3]
    cam_from_lidar = np.asarray(meta['lidar2cam'], dtype=np.float64)
    aug_img_from_img = _homography(np.asarray(meta['img_aug_matrix'], dtype=np.float64), corner_pixels)
    aug_lidar_from_lidar = np.asarray(meta['lidar_aug_matrix'], dtype=np.float64)
    cam_from_ray = np.tile(np.eye(4), (len(img_from_cam), 1, 1))
    cam_from_ray[:, :3, :3] = np.linalg.inv(aug_img_from_img @ img_from_cam)
    return aug_lidar_from_lidar @ np.linalg.inv(cam_from_lidar) @ cam_from_ray


def _homography(aug_4x4: Float[np.ndarray, 'n_cam 4 4'], corner_pixels: bool
                ) -> Float[np.ndarray, 'n_cam 3 3']:
    """Returns the 3x3 that moves (u, v, 1); mmdet3d stores the shift in column 3 of a 4x4."""
    homography = aug_4x4[:, :3, :3].copy()
    homography[:, :2, 2] = aug_4x4[:, :2, 3]
    if corner_pixels:
        # Corners move as A p + c; centres, half a pixel h further, as A p + (A h + c - h): what is given.
        half_px = np.full(2, 0.5)
        homography[:, :2, 2] += half_px - homography[:, :2, :2] @ half_px
    return homography
