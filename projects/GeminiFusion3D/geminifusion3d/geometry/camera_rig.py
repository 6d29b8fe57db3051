"""The cameras of a batch as matrices, composed from the metainfo keys that mmdet3d's pipeline packs.

Chain of frames, right to left: augmented pixel -> pixel -> cam -> lidar -> augmented lidar. It is
composed in float64 on the CPU and handed to the device once, in float32.
"""
from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..ops.device_constants import to_device


class ProjectionSteps(NamedTuple):
    """The matrices that BEVFusion applies one after the other, in float32, (b, 4, 4) and (b, n_cam, 4, 4).

    Attributes:
        lidar_aug: the scene augmentation.
        img_from_lidar: of raw pixels.
        img_aug: of pixels' corners.
        img_from_cam: the intrinsics.
        lidar_from_cam: before the scene augmentation.
    """

    lidar_aug: Tensor
    img_from_lidar: Tensor
    img_aug: Tensor
    img_from_cam: Tensor
    lidar_from_cam: Tensor


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
        steps: where points are projected and pixels lifted as BEVFusion does, else None. One product rounds
            otherwise: at a real keyframe 7 of 16,408 pixels of the depth images show another return then,
            and 34 of 2.0 million lifted pixels lie in the neighbouring cell.
    """

    lidar_from_ray: Float[Tensor, 'b n_cam 4 4']
    ray_from_lidar: Float[Tensor, 'b n_cam 4 4']
    is_present: Bool[Tensor, 'b n_cam']
    fingerprints: Tuple[bytes, ...]
    steps: Optional[ProjectionSteps] = None

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
                left corner of its pixel, and project in steps, as BEVFusion does; else as what it is, the
                centre.

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
                                      for chain, flags in zip(lidar_from_ray, is_present)),
                   steps=_steps(metas, device) if corner_pixels else None)

    def of_sample(self, sample: int) -> 'CameraRig':
        """Returns the rig of one sample alone, as a batch of one."""
        one = slice(sample, sample + 1)
        steps = self.steps and ProjectionSteps(*(matrices[one] for matrices in self.steps))
        return CameraRig(self.lidar_from_ray[one], self.ray_from_lidar[one], self.is_present[one],
                         self.fingerprints[one], steps)

    def points_at(self, pixels: Float[Tensor, 'p 2'], depth_m: Float[Tensor, ' d']
                  ) -> Float[Tensor, 'b n_cam p d 3']:
        """Lifts pixels to 3D at each depth.

        Args:
            pixels: (u, v) in the augmented image; integer coordinates are pixel centres.
            depth_m: depths along the optical axis.
        """
        if self.steps is not None:
            return _points_in_steps(self.steps, pixels, depth_m)
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
        if self.steps is not None:
            return _project_in_steps(ProjectionSteps(*(one[sample] for one in self.steps)), points_m)
        ray_from_lidar = self.ray_from_lidar[sample, :, :3]
        rays = torch.einsum('cij,nj->cni', ray_from_lidar[..., :3], points_m)
        rays = rays + ray_from_lidar[:, None, :, 3]
        return torch.cat([rays[..., :2] / rays[..., 2:], rays[..., 2:]], dim=-1)


def _project_in_steps(steps: ProjectionSteps, points_m: Float[Tensor, 'n 3']) -> Float[Tensor, 'n_cam n 3']:
    """Does the same to the bit as BEVFusion's BaseDepthTransform.forward, mmdet3d v1.4.0."""
    lidar_aug, img_from_lidar, img_aug, *_ = steps
    rays = lidar_aug[:3, :3].inverse().matmul((points_m - lidar_aug[:3, 3]).T)
    rays = img_from_lidar[:, :3, :3].matmul(rays) + img_from_lidar[:, :3, 3:]
    depth_m = rays[:, 2:]
    in_front_m = depth_m.clamp(1e-5, 1e5)
    pixels = torch.cat([rays[:, :2] / in_front_m, in_front_m], dim=1)
    pixels = img_aug[:, :3, :3].matmul(pixels) + img_aug[:, :3, 3:]
    return torch.cat([pixels[:, :2], depth_m], dim=1).mT


def _points_in_steps(steps: ProjectionSteps, pixels: Float[Tensor, 'p 2'], depth_m: Float[Tensor, ' d']
                     ) -> Float[Tensor, 'b n_cam p d 3']:
    """Does the same to the bit as BEVFusion's BaseViewTransform.get_geometry, mmdet3d v1.4.0."""
    scene_aug, _, img_aug, img_from_cam, lidar_from_cam = steps
    to_lidar = lidar_from_cam[..., :3, :3].matmul(img_from_cam[..., :3, :3].inverse())
    # (b, n_cam, d, p, 3, 1), in that order: other shapes of a product round differently.
    rays = torch.cat([pixels.expand(len(depth_m), -1, -1),
                      depth_m[:, None, None].expand(-1, len(pixels), 1)], dim=-1)
    rays = rays - img_aug[:, :, None, None, :3, 3]
    rays = img_aug[:, :, None, None, :3, :3].inverse().matmul(rays.unsqueeze(-1))
    rays = torch.cat([rays[..., :2, :] * rays[..., 2:, :], rays[..., 2:, :]], dim=-2)
    points = to_lidar[:, :, None, None].matmul(rays) + lidar_from_cam[:, :, None, None, :3, 3:]
    scene_aug = scene_aug[:, None, None, None]
    points = scene_aug[..., :3, :3].matmul(points) + scene_aug[..., :3, 3:]
    return points.squeeze(-1).transpose(2, 3)


def _steps(metas: Sequence[Mapping[str, Any]], device: torch.device) -> ProjectionSteps:
    """Returns the matrices as BEVFusion's loading rounds them."""
    lidar_aug, img_from_lidar, img_aug, img_from_cam, lidar_from_cam = [], [], [], [], []
    for meta in metas:
        lidar_aug.append(np.asarray(meta['lidar_aug_matrix'], dtype=np.float32))
        img_from_cam.append(np.asarray(meta['cam2img'], dtype=np.float32))
        cam_from_lidar = np.asarray(meta['lidar2cam'], dtype=np.float32)
        img_from_lidar.append(img_from_cam[-1] @ cam_from_lidar)
        inverse = np.tile(np.eye(4, dtype=np.float32), (len(cam_from_lidar), 1, 1))
        inverse[:, :3, :3] = cam_from_lidar[:, :3, :3].transpose(0, 2, 1)
        inverse[:, :3, 3:] = -1 * np.matmul(inverse[:, :3, :3], cam_from_lidar[:, :3, 3:])
        lidar_from_cam.append(inverse)
        of_centres = np.asarray(meta['img_aug_matrix'], dtype=np.float64)
        homography = _homography(of_centres, corner_pixels=False)
        # Centres move as A p + c, corners, half a pixel h before them, as A p + (c + h - A h).
        half_px = np.full(2, 0.5)
        of_corners = of_centres.copy()
        of_corners[:, :2, 3] += half_px - homography[:, :2, :2] @ half_px
        img_aug.append(of_corners.astype(np.float32))
    return ProjectionSteps(*(to_device(torch.from_numpy(np.stack(one)), device)
                             for one in (lidar_aug, img_from_lidar, img_aug, img_from_cam,
                                         lidar_from_cam)))


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
