"""Queries stand where the heat map peaks: cases small enough to see."""
import pytest
import torch
from tiny_transfusion import GRID, build_head
from torch import nn

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.heads.transfusion_layers import QueryInit, cell_centres
from geminifusion3d.nuscenes_facts import CLASS_NAMES

CAR, TRUCK, PEDESTRIAN = 0, 1, 8
SMALL = BEVGrid(range_m=(0., 0., 0., 5., 4., 1.), cell_m=1.0)


def make_init(num_queries, **replaced):
    """Returns a QueryInit whose ten input channels are the heat map's logits."""
    arguments = dict(bev_grid=SMALL, channels=10, num_queries=num_queries, peak_kernel=3,
                     classes=CLASS_NAMES, unpooled_classes=['pedestrian', 'traffic_cone'], init_bias=-2.19)
    init = QueryInit(**{**arguments, **replaced})
    init.heatmap = nn.Identity()
    return init


def logits_with(*peaks):
    """Returns a map of 4 rows and 5 columns with (class, row, column, logit) and -20 elsewhere."""
    logits = torch.full((1, 10, 4, 5), -20.0)
    for index, row, column, logit in peaks:
        logits[0, index, row, column] = logit
    return logits


def test_queries_are_the_highest_peaks_of_all_classes_with_x_before_y():
    queries = make_init(2)(logits_with((CAR, 1, 3, 1.0), (TRUCK, 2, 1, 2.0), (CAR, 2, 1, 0.5)))
    assert queries.classes.tolist() == [[TRUCK, CAR]]
    assert queries.centre_xy_cells.tolist() == [[[1.5, 2.5], [3.5, 1.5]]]
    assert torch.allclose(queries.scores, torch.tensor([[2.0, 1.0]]).sigmoid())


def test_a_cell_beside_a_higher_one_is_no_peak_except_for_small_classes():
    slopes = [(index, row, 2, logit) for index in (CAR, PEDESTRIAN) for row, logit in ((1, 3.0), (2, 2.0))]
    queries = make_init(3)(logits_with(*slopes))
    found = sorted(zip(queries.classes[0].tolist(), queries.centre_xy_cells[0].tolist()))
    assert found == [(CAR, [2.5, 1.5]), (PEDESTRIAN, [2.5, 1.5]), (PEDESTRIAN, [2.5, 2.5])]


def test_on_the_outermost_ring_only_small_classes_have_peaks():
    queries = make_init(2)(logits_with((CAR, 0, 2, 3.0), (PEDESTRIAN, 3, 4, 1.0), (CAR, 2, 1, -2.0)))
    assert queries.classes.tolist() == [[PEDESTRIAN, CAR]]
    assert queries.centre_xy_cells.tolist() == [[[4.5, 3.5], [1.5, 2.5]]]


def test_a_kernel_of_one_makes_every_cell_a_peak():
    queries = make_init(2, peak_kernel=1)(logits_with((CAR, 0, 2, 3.0), (CAR, 0, 3, 2.0)))
    assert queries.centre_xy_cells.tolist() == [[[2.5, 0.5], [3.5, 0.5]]]


def test_a_query_carries_the_feature_of_its_cell_and_the_embedding_of_its_class():
    init, logits = make_init(2), logits_with((CAR, 1, 3, 1.0), (TRUCK, 2, 1, 2.0))
    queries = init(logits)
    embedding = init.class_embedding.weight[:, :, 0].T + init.class_embedding.bias
    expected = torch.stack([logits[0, :, 2, 1] + embedding[TRUCK], logits[0, :, 1, 3] + embedding[CAR]])
    assert torch.allclose(queries.features[0], expected)


def test_the_heat_map_learns_through_its_loss_and_not_through_the_choice_of_queries():
    logits = logits_with((CAR, 1, 3, 1.0)).requires_grad_()
    queries = make_init(1)(logits)
    assert not queries.scores.requires_grad and queries.heatmap_logits.requires_grad


def test_cells_are_listed_row_by_row_with_x_first():
    assert cell_centres(SMALL)[:6].tolist() == [
        [0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [3.5, 0.5], [4.5, 0.5], [0.5, 1.5]]


def test_the_heat_map_starts_at_the_score_its_bias_asks_for():
    head = build_head()
    with torch.no_grad():
        heatmap = head([torch.randn(1, 16, *GRID.shape_yx)]).heatmap_logits.sigmoid()
    assert heatmap.mean().item() == pytest.approx(0.1, abs=0.03)  # sigmoid(-2.19) = 0.1


@pytest.mark.parametrize('replaced, message', [
    (dict(num_queries=201), r'1\.\.200, .* got 201'),
    (dict(num_queries=0), 'got 0'),
    (dict(peak_kernel=2), 'odd and fit .* got 2'),
    (dict(peak_kernel=5), r'\(4, 5\) cells, got 5'),
    (dict(unpooled_classes=['cone']), r"got \['cone'\]")])
def test_what_cannot_work_is_refused(replaced, message):
    with pytest.raises(ValueError, match=message):
        make_init(**{'num_queries': 2, **replaced})
