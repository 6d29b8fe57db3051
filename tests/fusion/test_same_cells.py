"""Maps that do not fit are refused before anything is computed."""
import pytest
import torch

from geminifusion3d.fusion.same_cells import check_same_cells, check_same_shape


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
