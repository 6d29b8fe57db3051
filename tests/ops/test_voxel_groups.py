"""Points in voxels against a dictionary of voxels, empty clouds included; means and maxima by hand."""
import numpy as np
import pytest
import torch
from mmcv.ops import Voxelization

from gemini_lab.cost.typical_batch import make_typical_cloud
from geminifusion3d.ops.voxel_groups import group_equal, group_points, max_per_voxel, mean_per_voxel

# 4 x 2 x 2 voxels along x, y, z.
RANGE_M, VOXEL_M, COUNT = (0.0, 0.0, 0.0, 4.0, 2.0, 1.0), (1.0, 1.0, 0.5), (4, 2, 2)


def test_each_point_knows_its_voxel_and_each_voxel_its_place():
    cloud = torch.tensor([[2.25, 1.5, 0.6, 10.0], [0.5, 0.5, 0.1, 7.0], [9.0, 0.5, 0.1, 8.0],
                          [2.75, 1.5, 0.6, 30.0]])
    groups = group_points([cloud], RANGE_M, VOXEL_M, COUNT)
    assert groups.coordinates_bzyx.tolist() == [[0, 0, 0, 0], [0, 1, 1, 2]]
    assert groups.voxel_of_point.tolist() == [1, 0, 1]
    assert torch.equal(groups.points, cloud[[0, 1, 3]])
    assert groups.centres_m.tolist() == [[0.5, 0.5, 0.25], [2.5, 1.5, 0.75]]
    assert groups.by_voxel.tolist() == [1, 0, 2] and groups.offsets.tolist() == [0, 1, 3]


def test_it_equals_a_dictionary_of_voxels():
    rng = np.random.default_rng(0)
    clouds = [rng.uniform([-1, -1, -1, 0], [5, 3, 2, 9], (200, 4)).astype(np.float32)
              for _ in range(2)]
    voxels = {}
    for batch, cloud in enumerate(clouds):
        for point in cloud:
            if (point[:3] >= RANGE_M[:3]).all() and (point[:3] < RANGE_M[3:]).all():
                x, y, z = np.floor(point[:3] / VOXEL_M).astype(int)
                voxels.setdefault((batch, z, y, x), []).append(point)
    groups = group_points([torch.from_numpy(c) for c in clouds], RANGE_M, VOXEL_M, COUNT)
    assert list(map(tuple, groups.coordinates_bzyx.tolist())) == sorted(voxels)
    for row, key in enumerate(sorted(voxels)):
        found = groups.points[groups.voxel_of_point == row].numpy()
        assert (found == np.stack(voxels[key])).all()


def test_a_point_just_below_the_upper_edge_stays_in_the_last_voxel():
    below = float(np.nextafter(np.float32(54.0), np.float32(0)))
    groups = group_points([torch.tensor([[below, 0.0, 0.0]])], (-54.0, -1, -1, 54.0, 1, 1),
                          (0.075, 1, 1), (1440, 2, 2))
    assert groups.coordinates_bzyx.tolist() == [[0, 1, 1, 1439]]


def test_empty_clouds_pass_through():
    empty, one = torch.zeros(0, 4), torch.tensor([[0.5, 0.5, 0.5, 1.0]])
    groups = group_points([empty, one, empty], RANGE_M, VOXEL_M, COUNT)
    assert groups.coordinates_bzyx.tolist() == [[1, 1, 0, 0]] and len(groups.points) == 1
    groups = group_points([empty, empty], RANGE_M, VOXEL_M, COUNT)
    assert groups.points.shape == (0, 4) and groups.coordinates_bzyx.shape == (0, 4)


def test_equal_keys_are_found_in_the_order_of_keys_and_of_elements():
    order, group, offsets = group_equal(torch.tensor([7, 3, 7, 9, 3, 7]))
    assert order.tolist() == [1, 4, 0, 2, 5, 3]
    assert group.tolist() == [1, 0, 1, 2, 0, 1]
    assert offsets.tolist() == [0, 2, 5, 6]


def test_more_voxels_than_int32_counts_are_told_apart():
    # 4096 x 2048 x 1024 voxels are 2^33: cut to 32 bits, the first and the last point share a key.
    cloud = torch.tensor([[0.5, 0.5, 0.5], [4095.5, 2047.5, 1023.5], [0.5, 0.5, 512.5]])
    groups = group_points([cloud], (0, 0, 0, 4096, 2048, 1024), (1, 1, 1), (4096, 2048, 1024))
    assert groups.coordinates_bzyx.tolist() == [[0, 0, 0, 0], [0, 512, 0, 0], [0, 1023, 2047, 4095]]


@pytest.mark.mmcv_operators
def test_ten_sweeps_occupy_the_same_voxels_as_in_mmcv_where_its_limits_do_not_bind():
    range_m, voxel_m, count = (-54.0, -54.0, -5.0, 54.0, 54.0, 3.0), (0.075, 0.075, 0.2), (1440, 1440, 40)
    cloud = make_typical_cloud()
    groups = group_points([cloud], range_m, voxel_m, count)
    places_zyx = Voxelization(voxel_m, range_m, 10, 300_000)(cloud)[1].long()
    assert 100_000 < len(places_zyx) < 300_000
    in_order = (places_zyx @ torch.tensor([1440 * 1440, 1440, 1])).argsort()
    assert torch.equal(groups.coordinates_bzyx[:, 1:], places_zyx[in_order])


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
