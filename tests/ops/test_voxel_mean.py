"""Means and maxima of voxels by hand, with their gradients."""
import torch

from geminifusion3d.ops.voxel_groups import group_points
from geminifusion3d.ops.voxel_max import max_per_voxel
from geminifusion3d.ops.voxel_mean import mean_per_voxel

RANGE_M, VOXEL_M, COUNT = (0.0, 0.0, 0.0, 4.0, 2.0, 1.0), (1.0, 1.0, 0.5), (4, 2, 2)
CLOUD = torch.tensor([[2.25, 1.5, 0.6], [2.75, 1.5, 0.6], [0.5, 0.5, 0.1]])


def test_the_points_of_a_voxel_are_averaged():
    groups = group_points([CLOUD], RANGE_M, VOXEL_M, COUNT)
    values = torch.tensor([[10.0, -1.0], [30.0, -3.0], [7.0, 5.0]], requires_grad=True)
    mean = mean_per_voxel(values, groups)
    assert mean.tolist() == [[7.0, 5.0], [20.0, -2.0]]
    mean[1, 0].backward()
    assert values.grad.tolist() == [[0.5, 0.0], [0.5, 0.0], [0.0, 0.0]]


def test_the_largest_value_of_a_voxel_wins_also_below_zero():
    groups = group_points([CLOUD], RANGE_M, VOXEL_M, COUNT)
    values = torch.tensor([[10.0, -1.0], [30.0, -3.0], [7.0, -5.0]], requires_grad=True)
    largest = max_per_voxel(values, groups)
    assert largest.tolist() == [[7.0, -5.0], [30.0, -1.0]]
    largest.sum().backward()
    assert values.grad.tolist() == [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]


def test_no_points_give_no_voxels_and_a_gradient_of_the_right_shape():
    groups = group_points([torch.zeros(0, 3)], RANGE_M, VOXEL_M, COUNT)
    values = torch.zeros(0, 2, requires_grad=True)
    both = mean_per_voxel(values, groups) + max_per_voxel(values, groups)
    assert both.shape == (0, 2)
    both.sum().backward()
    assert values.grad.shape == (0, 2)


def test_a_mean_is_summed_in_the_order_of_the_points_to_the_last_bit():
    cloud = torch.rand(4000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor(RANGE_M[3:])
    groups = group_points([cloud], RANGE_M, VOXEL_M, COUNT)
    for row, mean in enumerate(mean_per_voxel(groups.points, groups)):
        total, members = torch.zeros(3), groups.points[groups.voxel_of_point == row]
        for point in members:
            total += point
        assert torch.equal(mean, total / len(members))
