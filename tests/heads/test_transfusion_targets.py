"""Targets: who is assigned, what it should say, and a heat map by hand."""
import math

import pytest
import torch
from mmdet3d.structures import LiDARInstance3DBoxes
from tiny_detector import make_sample
from tiny_transfusion import GRID, build_head, three_objects

from geminifusion3d.heads.transfusion_targets import BoxCoder


@pytest.fixture(scope='module', name='maker')
def build_maker():
    """Returns the small head's maker of targets."""
    return build_head().target_maker


def make_targets(maker, boxes, labels, n_queries=4):
    """Returns the targets of one sample for queries at the grid's corner."""
    sample = make_sample(torch.tensor(boxes).reshape(-1, 9), labels)
    return maker.make(torch.zeros(1, n_queries, 10), torch.zeros(1, n_queries, 10),
                      [sample.gt_instances_3d])


def test_predictions_equal_to_the_ground_truth_are_assigned_to_it(maker):
    ground_truth = three_objects().gt_instances_3d
    codes = BoxCoder(GRID).encode(ground_truth.bboxes_3d.tensor)
    order = torch.tensor([2, 0, 1])
    targets = maker.make(codes[order].nan_to_num().unsqueeze(0), torch.zeros(1, 3, 10), [ground_truth])
    assert targets.is_assigned.all() and targets.mean_iou.item() == pytest.approx(1.0, abs=1e-4)
    assert targets.classes.argmax(-1).tolist() == [[3, 0, 8]]
    assert torch.equal(targets.codes[0].isnan(), codes[order].isnan())
    assert torch.equal(targets.codes.nan_to_num(), codes[order].nan_to_num().unsqueeze(0))


def test_queries_without_an_object_are_background(maker):
    targets = make_targets(maker, [7.3, -4.6, -1.8, 4.0, 2.0, 1.6, 0.5, 3.0, -1.0], [0])
    assert targets.is_assigned.sum() == 1 and targets.classes.sum() == 1
    assert targets.codes[~targets.is_assigned].abs().sum() == 0


def test_the_heat_map_peaks_in_the_cell_of_the_centre_rows_along_y(maker):
    # Cell of (7.3, -4.6) on a grid from (-12, -8) with 1 m cells: column 19, row 3.
    targets = make_targets(maker, [7.3, -4.6, -1.8, 1.0, 1.0, 1.6, 0.5, 3.0, -1.0], [4])
    heatmap = targets.heatmap[0, 4]
    assert targets.heatmap.shape == (1, 10, 16, 24)
    assert heatmap.argmax().item() == 3 * 24 + 19 and heatmap[3, 19] == 1
    assert targets.heatmap.sum() == heatmap.sum()
    # Radius 2, so sigma = 5 / 6: one cell away exp(-1 / (2 sigma^2)), nothing three cells away.
    assert heatmap[4, 19].item() == pytest.approx(math.exp(-0.72), abs=1e-5)
    assert heatmap[3, 17].item() == pytest.approx(math.exp(-4 * 0.72), abs=1e-5)
    assert heatmap[3, 16] == 0 and heatmap[0, 19] == 0


def test_larger_objects_have_wider_peaks_and_close_ones_keep_the_higher_value(maker):
    truck = [0.5, 0.5, -1.0, 12.0, 12.0, 3.0, 0.0, 0.0, 0.0]
    cars = [*truck, 1.5, 0.5, -1.0, 1.0, 1.0, 1.6, 0.0, 0.0, 0.0]
    one = make_targets(maker, truck, [0]).heatmap[0, 0]
    two = make_targets(maker, cars, [0, 0]).heatmap[0, 0]
    assert one[8, 12] == 1 and one[8, 15] > 0
    assert two[8, 12] == 1 and two[8, 13] == 1 and (two >= one).all()


@pytest.mark.parametrize('change', [
    {0: 12.0}, {1: -8.5}, {3: 0.0}, {5: -1.0}, {0: float('nan')}, {6: float('inf')}])
def test_boxes_without_a_place_on_the_grid_or_a_size_are_left_out(maker, change):
    box = [11.9, -7.9, -1.8, 1.0, 1.0, 1.6, 0.5, 3.0, -1.0]
    assert make_targets(maker, box, [0]).is_assigned.sum() == 1
    for index, value in change.items():
        box[index] = value
    targets = make_targets(maker, box, [0])
    assert not targets.is_assigned.any() and targets.heatmap.sum() == 0


def test_height_outside_the_range_does_not_matter(maker):
    assert make_targets(maker, [1.0, 1.0, 9.0, 1.0, 1.0, 1.6, 0.5, 3.0, -1.0], [0]).is_assigned.sum() == 1


def test_a_sample_without_objects_stands_beside_one_with_objects(maker):
    empty = make_sample(torch.zeros(0, 9), [])
    targets = maker.make(torch.zeros(2, 4, 10), torch.zeros(2, 4, 10),
                         [empty.gt_instances_3d, three_objects().gt_instances_3d])
    assert targets.is_assigned.sum(1).tolist() == [0, 3]
    assert targets.heatmap[0].sum() == 0 and targets.heatmap[1].eq(1).sum() == 3
    assert make_targets(maker, [], []).mean_iou == 0


def test_nothing_given_is_changed(maker):
    ground_truth = three_objects().gt_instances_3d
    codes = torch.rand(1, 4, 10)
    before = codes.clone(), ground_truth.bboxes_3d.tensor.clone(), ground_truth.labels_3d.clone()
    maker.make(codes, torch.zeros(1, 4, 10), [ground_truth])
    assert torch.equal(codes, before[0]) and torch.equal(ground_truth.labels_3d, before[2])
    assert torch.equal(ground_truth.bboxes_3d.tensor.nan_to_num(), before[1].nan_to_num())


def test_ground_truth_without_velocities_is_refused(maker):
    ground_truth = three_objects().gt_instances_3d
    ground_truth.bboxes_3d = LiDARInstance3DBoxes(ground_truth.bboxes_3d.tensor[:, :7], box_dim=7)
    with pytest.raises(ValueError, match='7 columns, expected 9'):
        maker.make(torch.zeros(1, 4, 10), torch.zeros(1, 4, 10), [ground_truth])
