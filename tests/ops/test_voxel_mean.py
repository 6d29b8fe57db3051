"""Voxel means by hand and by numpy, empty clouds included."""
import numpy as np
import torch

from geminifusion3d.ops.voxel_mean import voxel_mean

RANGE_M, VOXEL_M, COUNT = (0.0, 0.0, 0.0, 4.0, 2.0, 1.0), (1.0, 1.0, 0.5), (4, 2, 2)


def test_two_points_of_one_voxel_are_averaged():
    cloud = torch.tensor([[2.25, 1.5, 0.6, 10.0], [2.75, 1.5, 0.6, 30.0], [0.5, 0.5, 0.1, 7.0]])
    features, coordinates = voxel_mean([cloud], RANGE_M, VOXEL_M, COUNT)
    assert coordinates.tolist() == [[0, 0, 0, 0], [0, 1, 1, 2]]  # batch, z, y, x
    assert torch.allclose(features, torch.tensor([[0.5, 0.5, 0.1, 7.0], [2.5, 1.5, 0.6, 20.0]]))


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
    features, coordinates = voxel_mean([torch.from_numpy(c) for c in clouds], RANGE_M, VOXEL_M, COUNT)
    assert list(map(tuple, coordinates.tolist())) == sorted(voxels)
    expected = np.stack([np.mean(voxels[key], axis=0) for key in sorted(voxels)])
    assert np.allclose(features.numpy(), expected, atol=1e-5)


def test_empty_clouds_pass_through():
    empty, one = torch.zeros(0, 4), torch.tensor([[0.5, 0.5, 0.5, 1.0]])
    features, coordinates = voxel_mean([empty, one, empty], RANGE_M, VOXEL_M, COUNT)
    assert coordinates.tolist() == [[1, 1, 0, 0]] and len(features) == 1
    features, coordinates = voxel_mean([empty, empty], RANGE_M, VOXEL_M, COUNT)
    assert features.shape == (0, 4) and coordinates.shape == (0, 4)
