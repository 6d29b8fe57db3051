"""CenterPoint's targets in one pass: equal to mmdet3d's bit by bit, whatever the boxes are."""
import pytest
import torch
from mmdet3d.models.dense_heads import CenterHead
from mmdet3d.registry import MODELS
from mmdet3d.structures import LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from tiny_detector import CONFIG, SMALL_GRID

from geminifusion3d.geometry.bev_grid import BEVGrid

NAN = float('nan')
SIX_TASKS = Config.fromfile(CONFIG.parents[1] / '_base_/models/center_head.py').center_head
GRIDS = [dict(range_m=[-12.0, -8.0, -3.0, 12.0, 8.0, 3.0], cell_m=1.0),
         dict(range_m=[-7.5, -21.0, -5.0, 4.5, 33.0, 3.0], cell_m=0.6)]


def make_head(grid=SMALL_GRID, **replaced):
    """Returns the published head with six tasks on a grid."""
    init_default_scope('mmdet3d')
    return MODELS.build({**SIX_TASKS, 'in_channels': 8, 'bev_grid': BEVGrid.from_config(grid), **replaced})


def of_mmdet3d(head, ground_truth):
    """Returns the targets that mmdet3d's own method makes with the values of the head."""
    maker, grid = head.target_maker, head.bev_grid
    head.train_cfg.update(
        max_objs=maker.max_objects, dense_reg=1, grid_size=[grid.n_x, grid.n_y], out_size_factor=1,
        point_cloud_range=list(grid.range_m), voxel_size=[grid.cell_m] * 2,
        gaussian_overlap=maker.gaussian_overlap, min_radius=maker.min_radius_cells)
    return CenterHead.get_targets(head, ground_truth)


def instances(boxes, labels):
    """Returns ground truth as a data sample holds it."""
    return InstanceData(bboxes_3d=LiDARInstance3DBoxes(boxes, box_dim=9),
                        labels_3d=torch.as_tensor(labels, dtype=torch.long))


def random_boxes(grid, count, generator):
    """Returns boxes of which some lie outside, many overlap, and some velocities are unknown."""
    low, high = torch.tensor(grid['range_m']).chunk(2)
    unit = torch.rand(count, 9, generator=generator)
    boxes = torch.empty(count, 9)
    boxes[:, :3] = low - 2 + unit[:, :3] * (high - low + 4)
    boxes[:, 3:6] = 0.05 * 400 ** unit[:, 3:6]
    boxes[:, 6] = unit[:, 6] * 20 - 10
    boxes[:, 7:] = unit[:, 7:] * 30 - 15
    boxes[unit[:, 8] < 0.2, 7:] = NAN
    # Several of one place, or nearly.
    apart = torch.randint(-1, 2, (len(boxes[::3]), 2), generator=generator) * grid['cell_m']
    boxes[::3, :2] = boxes[:1, :2] + apart
    return boxes


def assert_equal(found, expected):
    """Compares targets bit by bit, with their types."""
    for ours, theirs in zip(found[:4], expected, strict=True):
        for own, their in zip(ours, theirs, strict=True):
            assert own.dtype == their.dtype and own.is_contiguous()
            torch.testing.assert_close(own, their, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize('grid', GRIDS, ids=['12 by 8 m', '6 by 27 m'])
@pytest.mark.parametrize('replaced', [{}, dict(max_objects=7, gaussian_overlap=0.5, min_radius_cells=1)],
                         ids=['published', 'crowded'])
def test_targets_of_random_boxes_equal_mmdet3ds(grid, replaced):
    head, generator = make_head(grid, **replaced), torch.Generator().manual_seed(1)
    sizes = (40, 0, 90, 1)
    ground_truth = [instances(random_boxes(grid, size, generator),
                              torch.randint(-1, 10, (size,), generator=generator)) for size in sizes]
    found = head.get_targets(ground_truth)
    assert_equal(found, of_mmdet3d(head, ground_truth))
    assert found.num_peaks == [int(heatmap.eq(1).sum()) for heatmap in found.heatmaps]
    # The comparison is not empty: objects in every task, whole and cut Gaussians, unknown velocities.
    assert all(mask[2].any() for mask in found.are_objects)
    assert any(codes.isnan().any() for codes in found.codes)
    assert all(heatmap.eq(1).any() and (heatmap > 0).sum() > 20 for heatmap in found.heatmaps)


def test_losses_and_gradients_equal_mmdet3ds(monkeypatch):
    head, generator = make_head(GRIDS[1]), torch.Generator().manual_seed(2)
    sizes = (40, 0, 25)
    ground_truth = [instances(random_boxes(GRIDS[1], size, generator),
                              torch.randint(0, 10, (size,), generator=generator)) for size in sizes]
    features = torch.randn(3, 8, 90, 20, generator=generator)
    results = []
    for loss_by_feat in (type(head).loss_by_feat, CenterHead.loss_by_feat):
        leaf = features.clone().requires_grad_()
        losses = loss_by_feat(head, head([leaf]), ground_truth)
        sum(losses.values()).backward()
        results.append((losses, leaf.grad))
        # For mmdet3d's loss, mmdet3d's targets.
        monkeypatch.setattr(head, 'get_targets', lambda given: of_mmdet3d(head, given))
        head.train_cfg.update(code_weights=SIX_TASKS.code_weights)
    (ours, gradient), (theirs, expected) = results
    assert ours.keys() == theirs.keys() and len(ours) == 12
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert torch.allclose(gradient, expected, rtol=1e-5, atol=1e-7 * expected.abs().max())


def test_edges_of_the_grid_and_boxes_that_are_none_equal_mmdet3ds():
    head = make_head()
    car = [0.3, 0.3, -1.0, 4.0, 2.0, 1.5, 0.3, 1.0, 2.0]
    changes = [{0: 12.0}, {0: 11.999}, {0: -12.0}, {0: -12.5}, {0: -13.0}, {1: 8.0}, {1: -8.5}, {3: 0.0},
               {4: -1.0}, {5: 0.0}, {0: NAN}, {1: float('inf')}, {6: NAN}, {0: 1e10}]
    boxes = torch.tensor([[change.get(column, value) for column, value in enumerate(car)]
                          for change in changes])
    ground_truth = [instances(boxes, [0] * len(boxes)), instances(boxes.flip(0), [9] * len(boxes))]
    found = head.get_targets(ground_truth)
    assert_equal(found, of_mmdet3d(head, ground_truth))
    assert found.are_objects[0].sum(1).tolist() == [6, 0] and found.are_objects[5].sum(1).tolist() == [0, 6]


def test_a_batch_without_objects_is_all_zero():
    head = make_head()
    found = head.get_targets([instances(torch.zeros(0, 9), [])] * 2)
    shapes = [heatmap.shape for heatmap in found.heatmaps]
    assert shapes == [(2, count, 16, 24) for count in (1, 2, 2, 1, 2, 2)]
    assert not any(part.any() for parts in found[:4] for part in parts) and found.num_peaks == [1] * 6


def test_a_box_of_infinite_size_has_no_place():
    box = torch.tensor([[0.3, 0.3, -1.0, float('inf'), 2.0, 1.5, 0.3, 1.0, 2.0]])
    assert not make_head().get_targets([instances(box, [0])]).are_objects[0].any()


def test_ground_truth_without_velocities_is_refused():
    boxes = InstanceData(bboxes_3d=LiDARInstance3DBoxes(torch.ones(1, 7)), labels_3d=torch.zeros(1).long())
    with pytest.raises(ValueError, match='7 columns, expected 9'):
        make_head().get_targets([boxes])
