"""Maps that do not fit are refused, and the weighted sum of two maps."""
import pytest
import torch

from geminifusion3d.fusion.two_maps import WeightedSum, check_same_cells, check_same_shape, weighted_sum


def test_the_shares_are_equal_at_the_start_and_follow_alpha():
    torch.manual_seed(0)
    camera, lidar = torch.randn(2, 4, 2, 3), torch.randn(2, 4, 2, 3)
    merge = WeightedSum()
    assert torch.allclose(merge(camera, lidar), (camera + lidar) / 2)
    merge.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    expected = 0.75 * camera + 0.25 * lidar
    assert torch.allclose(merge(camera, lidar), expected)
    # Official checkpoints start from ones: only the difference counts.
    merge.alpha.data += 1
    assert torch.allclose(merge(camera, lidar), expected)


@pytest.mark.parametrize('dtypes, expected', [
    ((torch.float32, torch.float32), torch.float32), ((torch.bfloat16, torch.float32), torch.float32),
    ((torch.bfloat16, torch.bfloat16), torch.bfloat16)], ids=str)
def test_shares_weigh_camera_and_lidar(dtypes, expected):
    camera, lidar = (torch.tensor([8.0, -4.0]).to(dtypes[0]), torch.tensor([4.0, 0.0]).to(dtypes[1]))
    found = weighted_sum(camera, lidar, torch.tensor([0.75, 0.25]))
    assert found.dtype == expected and found.tolist() == [7.0, -3.0]


def test_maps_of_the_same_cells_pass_whatever_their_channels():
    check_same_cells(torch.zeros(2, 8, 3, 5), torch.zeros(2, 6, 3, 5))
    check_same_shape(torch.zeros(2, 8, 3, 5), torch.zeros(2, 8, 3, 5))


@pytest.mark.parametrize('lidar', [(2, 8, 5, 3), (1, 8, 3, 5)], ids=['transposed', 'another batch'])
@pytest.mark.parametrize('check', [check_same_cells, check_same_shape])
def test_other_cells_are_refused_with_both_shapes(check, lidar):
    with pytest.raises(ValueError, match='align them first') as caught:
        check(torch.zeros(2, 8, 3, 5), torch.zeros(lidar))
    assert '(2, 8, 3, 5)' in str(caught.value) and str(lidar) in str(caught.value)


def test_other_channels_are_refused_where_one_shape_is_needed():
    with pytest.raises(ValueError, match=r'of one shape, got camera \(2, 8, 3, 5\) and LiDAR \(2, 6, 3, 5\)'):
        check_same_shape(torch.zeros(2, 8, 3, 5), torch.zeros(2, 6, 3, 5))
