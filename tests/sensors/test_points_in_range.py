"""The same points as mmdet3d's filter, in the same order."""
import numpy as np
import torch
from mmdet3d.datasets.transforms import PointsRangeFilter
from mmdet3d.structures import LiDARPoints

from geminifusion3d.sensors import GeminiPointsRangeFilter

RANGE_M = [-54.0, -30.0, -5.0, 54.0, 40.0, 3.0]


def test_it_keeps_what_the_hosts_filter_keeps():
    rng = np.random.default_rng(0)
    rows = rng.uniform([-80, -80, -8, 0, 0], [80, 80, 6, 255, 0.5], (4000, 5)).astype(np.float32)
    rows[7, 0] = np.nan
    results = {'points': LiDARPoints(rows, points_dim=5), 'token': 'other keys stay'}
    ours = GeminiPointsRangeFilter(RANGE_M)(results)
    host = PointsRangeFilter(RANGE_M)({'points': LiDARPoints(rows, points_dim=5)})
    assert 500 < len(ours['points']) < 3500
    assert torch.equal(ours['points'].tensor, host['points'].tensor)
    assert isinstance(ours['points'], LiDARPoints) and ours['token'] == 'other keys stay'
    np.testing.assert_array_equal(results['points'].tensor.numpy(), rows)


def test_points_on_the_border_are_dropped():
    inside = [0.0, 0.0, 0.0]
    on_borders = [[*inside[:axis], RANGE_M[axis + 3 * side], *inside[axis + 1:]]
                  for axis in range(3) for side in range(2)]
    cloud = LiDARPoints(torch.tensor([inside, *on_borders]), points_dim=3)
    assert GeminiPointsRangeFilter(RANGE_M)({'points': cloud})['points'].tensor.tolist() == [inside]


def test_an_empty_cloud_stays_one():
    cloud = LiDARPoints(torch.zeros(0, 5), points_dim=5)
    assert GeminiPointsRangeFilter(RANGE_M)({'points': cloud})['points'].tensor.shape == (0, 5)
