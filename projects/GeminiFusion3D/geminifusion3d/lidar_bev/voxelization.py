"""Points to voxels: every point counts, or only the first few of each voxel."""
from typing import Sequence, Tuple

from jaxtyping import Float
from mmdet3d.registry import MODELS
from torch import Tensor, nn

from ..geometry.bev_grid import BEVGrid
from ..ops.voxel_groups import VoxelGroups, group_points, keep_first


@MODELS.register_module(name='GeminiDynamicVoxelization')
class DynamicVoxelization(nn.Module):
    """Keeps every point inside the grid's range.

    Args:
        bev_grid: whose range counts.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.
    """

    def __init__(self, *, bev_grid: BEVGrid, voxel_m: Sequence[float],
                 n_voxels_xyz: Tuple[int, int, int]) -> None:
        super().__init__()
        self.bev_grid, self.voxel_m, self.n_voxels_xyz = bev_grid, tuple(voxel_m), n_voxels_xyz

    def forward(self, points: Sequence[Float[Tensor, '_ f']]) -> VoxelGroups:
        """Returns the points in their voxels.

        Args:
            points: per sample one cloud of x, y, z in metres and features.
        """
        return group_points(points, self.bev_grid.range_m, self.voxel_m, self.n_voxels_xyz)


@MODELS.register_module(name='GeminiHardVoxelization')
class HardVoxelization(DynamicVoxelization):
    """Keeps the first points of the first voxels, as mmcv's Voxelization, used for published weights.

    Args:
        max_points: most points per voxel.
        max_voxels: most voxels per cloud, in training and in evaluation.
        bev_grid: whose range counts.
        voxel_m: voxel size along x, y, z.
        n_voxels_xyz: number of voxels along x, y, z.

    Raises:
        ValueError: if a limit is not positive, or max_voxels is no pair.
    """

    def __init__(self, *, max_points: int, max_voxels: Sequence[int], bev_grid: BEVGrid,
                 voxel_m: Sequence[float], n_voxels_xyz: Tuple[int, int, int]) -> None:
        super().__init__(bev_grid=bev_grid, voxel_m=voxel_m, n_voxels_xyz=n_voxels_xyz)
        if len(max_voxels) != 2 or min(max_points, *max_voxels) < 1:
            raise ValueError('hard voxelisation needs max_points >= 1 and max_voxels as a pair (training, '
                             f'evaluation) >= 1, got max_points={max_points}, max_voxels={max_voxels}')
        self.max_points, self.max_voxels = max_points, tuple(max_voxels)

    def forward(self, points: Sequence[Float[Tensor, '_ f']]) -> VoxelGroups:
        """Returns the first points in their voxels.

        Args:
            points: per sample one cloud of x, y, z in metres and features.
        """
        max_voxels = self.max_voxels[0 if self.training else 1]
        return keep_first(super().forward(points), self.max_points, max_voxels)
