"""What the splat is compared with, and the lifted pixels of nuScenes' cameras to compare it on."""
from dataclasses import dataclass
from typing import Callable, Dict, Tuple

import numpy as np
import torch
from torch import Tensor

from geminifusion3d.camera_bev.bev_pool import plan_pool
from geminifusion3d.camera_bev.lift import Frustum, frustum_cells
from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.geometry.camera_rig import CameraRig
from geminifusion3d.nuscenes_facts import CAMERA_NAMES, LIDAR_NAME
from geminifusion3d.ops.splat import splat
from geminifusion3d.ops.splat_plan import SplatPlan

# BEVFusion's: pictures of 1600 x 900, resized by 0.48, of which the sky above 256 rows is cut off.
IMAGE_HW, RESIZE = (256, 704), 0.48
DEPTH_RANGE_M, HALF_GRID_M, HALF_HEIGHT_M = (1.0, 60.0), 54.0, 10.0

Splat = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Lifted:
    """Pixels of one sample, lifted.

    Attributes:
        rig: the cameras.
        grid: the grid to splat on.
        frustum: their depth bins.
        features: (G, H, C) context of G columns of H pixels.
        weights: (G, D, H) depth probabilities.
        cells: (1, n_cam, P, D) cell of each (pixel, bin), -1 outside.
        feature_hw: rows and columns of a camera's feature.
    """

    rig: CameraRig
    grid: BEVGrid
    frustum: Frustum
    features: Tensor
    weights: Tensor
    cells: Tensor
    feature_hw: Tuple[int, int]

    def lift(self) -> Tensor:
        """Computes the cells once more, from calibration and grid."""
        return frustum_cells(self.rig, self.grid, self.frustum, IMAGE_HW, self.feature_hw)

    def plan(self) -> SplatPlan:
        """Sorts the pairs by cell."""
        return plan_pool(self.cells, self.feature_hw, self.grid)

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.grid.n_y * self.grid.n_x


def make_lifted(*, depth_bins: int, stride: int, channels: int, cells: int, device: torch.device) -> Lifted:
    """Lifts random features and depths of nuScenes' six cameras.

    Args:
        depth_bins: number of depth bins.
        stride: pixels of an image per pixel of a feature.
        channels: of a feature.
        cells: of the grid along x and along y.
        device: where they live.
    """
    feature_hw = tuple(size // stride for size in IMAGE_HW)
    grid = BEVGrid(range_m=(-HALF_GRID_M, -HALF_GRID_M, -HALF_HEIGHT_M, HALF_GRID_M, HALF_GRID_M,
                            HALF_HEIGHT_M), cell_m=2 * HALF_GRID_M / cells)
    rig, frustum = nuscenes_rig(device), Frustum(DEPTH_RANGE_M, depth_bins)
    generator = torch.Generator().manual_seed(0)
    columns = len(CAMERA_NAMES) * feature_hw[1]
    features = torch.randn(columns, feature_hw[0], channels, generator=generator)
    weights = torch.randn(columns, depth_bins, feature_hw[0], generator=generator).softmax(dim=1)
    return Lifted(rig, grid, frustum, features.to(device), weights.to(device),
                  frustum_cells(rig, grid, frustum, IMAGE_HW, feature_hw), feature_hw)


def nuscenes_rig(device: torch.device) -> CameraRig:
    """Returns the cameras of the synthetic world, which sit and look as those of nuScenes' car do."""
    from ..synthetic.rig import IMAGE_SIZE, build_rig
    mounts = build_rig(0, 'benchmark')
    cameras = [mounts[name] for name in CAMERA_NAMES]
    intrinsics = np.tile(np.eye(4), (len(cameras), 1, 1))
    intrinsics[:, :3, :3] = [camera.intrinsic for camera in cameras]
    augmented = np.diag([RESIZE, RESIZE, 1.0, 1.0])
    # Cut equally left and right, and above.
    augmented[:2, 3] = [(IMAGE_HW[1] - RESIZE * IMAGE_SIZE[0]) / 2, IMAGE_HW[0] - RESIZE * IMAGE_SIZE[1]]
    return CameraRig.from_metas([dict(
        cam2img=intrinsics, img_aug_matrix=np.tile(augmented, (len(cameras), 1, 1)),
        lidar2cam=np.stack([np.linalg.inv(camera.ego_from_sensor) @ mounts[LIDAR_NAME].ego_from_sensor
                            for camera in cameras]), lidar_aug_matrix=np.eye(4))], device=device)


def contestants(lifted: Lifted) -> Dict[str, Tuple[Splat, str]]:
    """Returns each way to pool, and in words what its time includes."""
    kept, n_cells = lifted.plan().without_outside(), lifted.n_cells
    flat = kept.cells().flatten().long()
    spare_row = torch.where(flat >= 0, flat, n_cells)
    inside = (flat >= 0).nonzero().squeeze(1)
    cell_inside = flat[inside]

    def frustum(features: Tensor, weights: Tensor) -> Tensor:
        return (weights.unsqueeze(3) * features.unsqueeze(1)).flatten(0, 2)

    def add_inside(features: Tensor, weights: Tensor) -> Tensor:
        empty = features.new_zeros(n_cells, features.shape[2])
        return empty.index_add(0, cell_inside, frustum(features, weights)[inside])

    def add_all(features: Tensor, weights: Tensor) -> Tensor:
        empty = features.new_zeros(n_cells + 1, features.shape[2])
        return empty.index_add_(0, spare_row, frustum(features, weights))[:-1]

    return {
        'ours, plan kept': (lambda *both: splat(*both, kept), 'summing'),
        'ours': (lambda *both: splat(*both, lifted.plan()), 'sorting the pairs by cell, summing'),
        'materialise, index_add': (add_inside, 'depth x feature of every pair, those inside the grid '
                                               'picked by known indices, index_add'),
        'materialise, index_add, spare row': (add_all, 'depth x feature of every pair, index_add of all by '
                                                       'known indices, pairs outside into a spare row')}
