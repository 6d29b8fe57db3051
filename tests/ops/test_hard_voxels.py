"""Hard voxels: the first points of the first voxels, exactly as mmcv's operator chooses them."""
import pytest
import torch
from mmcv.ops import Voxelization

from geminifusion3d.ops.voxel_groups import group_points, keep_first, mean_per_voxel, rank_in_group

# 12 x 8 x 4 voxels along x, y, z.
RANGE_M, VOXEL_M, COUNT = [-3.0, -2.0, -1.0, 3.0, 2.0, 1.0], [0.5, 0.5, 0.5], (12, 8, 4)


def make_cloud(n_points, seed):
    """Returns points denser at the middle, some of them outside the range."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_points, 5, generator=generator) * torch.tensor([1.5, 1.0, 0.5, 9.0, 1.0])


def test_ranks_count_earlier_members_of_the_same_group():
    assert rank_in_group(torch.tensor([2, 0, 2, 2, 0, 5])).tolist() == [0, 0, 1, 2, 1, 0]


def test_what_comes_late_is_dropped():
    cloud = torch.tensor([[0.1, 0.1, 0.1], [2.1, 0.1, 0.1], [0.2, 0.1, 0.1], [0.3, 0.1, 0.1],
                          [-1.1, 0.1, 0.1]])
    groups = keep_first(group_points([cloud], RANGE_M, VOXEL_M, COUNT), max_points=2, max_voxels=2)
    # The third point of the first voxel goes, and the third voxel goes although it lies leftmost.
    assert torch.equal(groups.points, cloud[:3])
    assert groups.voxel_of_point.tolist() == [0, 1, 0]
    assert groups.coordinates_bzyx.tolist() == [[0, 2, 4, 6], [0, 2, 4, 10]]
    assert torch.allclose(groups.centres_m[:, 0], torch.tensor([0.25, 2.25]))
    assert groups.by_voxel.tolist() == [0, 2, 1] and groups.offsets.tolist() == [0, 2, 3]


@pytest.mark.mmcv_operators
@pytest.mark.parametrize('max_points, max_voxels', [(3, 40), (10, 1000), (1, 7)])
def test_it_equals_mmcvs_voxelization(max_points, max_voxels):
    clouds = [make_cloud(600, 0), make_cloud(0, 1), make_cloud(400, 2)]
    groups = keep_first(group_points(clouds, RANGE_M, VOXEL_M, COUNT), max_points, max_voxels)
    means = mean_per_voxel(groups.points, groups)
    mmcv_layer = Voxelization(VOXEL_M, RANGE_M, max_points, max_voxels)
    for sample, cloud in enumerate(clouds):
        expected = {}
        if len(cloud):
            voxels, zyx, counts = mmcv_layer(cloud)
            for voxel, place, count in zip(voxels, zyx.tolist(), counts):
                expected[tuple(place)] = voxel.sum(0) / count
        rows = (groups.coordinates_bzyx[:, 0] == sample).nonzero().flatten().tolist()
        found = {tuple(groups.coordinates_bzyx[row, 1:].tolist()): means[row] for row in rows}
        assert found.keys() == expected.keys()
        assert all(torch.allclose(found[place], expected[place], atol=1e-6) for place in expected)


def test_a_batch_without_points_passes():
    empty = torch.zeros(0, 5)
    groups = keep_first(group_points([empty, empty], RANGE_M, VOXEL_M, COUNT), 10, 100)
    assert groups.points.shape == (0, 5) and groups.coordinates_bzyx.shape == (0, 4)
