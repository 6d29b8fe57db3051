"""No copy is made, and nothing else of a cloud is lost."""
import torch
from mmdet3d.structures import DepthPoints, LiDARPoints

from geminifusion3d.sensors.load_points import lidar_points, with_tensor


def test_a_cloud_holds_the_tensor_itself():
    tensor = torch.rand(6, 5)
    cloud = lidar_points(tensor)
    assert isinstance(cloud, LiDARPoints) and cloud.points_dim == 5
    assert cloud.tensor is tensor


def test_another_tensor_keeps_kind_and_attributes_and_leaves_the_first_alone():
    first = DepthPoints(torch.rand(4, 6), points_dim=6, attribute_dims={'color': [3, 4, 5]})
    before, tensor = first.tensor.clone(), torch.rand(2, 6)
    second = with_tensor(first, tensor)
    assert isinstance(second, DepthPoints) and second.tensor is tensor
    assert torch.equal(second.color, tensor[:, 3:])
    assert torch.equal(first.tensor, before)
