"""The weighed sum of two maps, of one and of unlike precision."""
import pytest
import torch

from geminifusion3d.ops.weighted_sum import weighted_sum


@pytest.mark.parametrize('dtypes, expected', [
    ((torch.float32, torch.float32), torch.float32), ((torch.bfloat16, torch.float32), torch.float32),
    ((torch.bfloat16, torch.bfloat16), torch.bfloat16)], ids=str)
def test_shares_weigh_camera_and_lidar(dtypes, expected):
    camera, lidar = (torch.tensor([8.0, -4.0]).to(dtypes[0]), torch.tensor([4.0, 0.0]).to(dtypes[1]))
    found = weighted_sum(camera, lidar, torch.tensor([0.75, 0.25]))
    assert found.dtype == expected and found.tolist() == [7.0, -3.0]
