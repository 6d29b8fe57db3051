"""The camera branch: what a camera sees lands in the cells it looks at, for every sample alone."""
import pytest
import torch
from tiny_detector import IMAGE_HW, build_detector, make_meta

from geminifusion3d.geometry.camera_rig import CameraRig


@pytest.fixture(scope='module')
def branch():
    """Returns the demo's camera branch in evaluation mode."""
    return build_detector().camera_branch.eval()


def rig_of(n_samples):
    """Returns the rig of a batch."""
    return CameraRig.from_metas([make_meta()] * n_samples, device=torch.device('cpu'))


@torch.no_grad()
def test_a_sample_does_not_depend_on_its_batch(branch):
    torch.manual_seed(0)
    images = torch.randn(2, 6, 3, *IMAGE_HW)
    both = branch(images, rig_of(2)).bev
    assert both.shape == (2, 40, 16, 24)
    assert torch.allclose(both[1:], branch(images[1:], rig_of(1)).bev, atol=1e-5)
    assert not torch.allclose(both[0], both[1], atol=1e-3)


@torch.no_grad()
def test_the_camera_that_faces_x_fills_the_cells_in_front_of_it(branch):
    torch.manual_seed(0)
    images = torch.randn(1, 6, 3, *IMAGE_HW)
    changed = images.clone()
    changed[:, 0] = torch.randn(3, *IMAGE_HW)
    moved = (branch(changed, rig_of(1)).bev - branch(images, rig_of(1)).bev).abs().sum((0, 1)) > 1e-6
    rows, columns = moved.nonzero(as_tuple=True)
    x_m, y_m = columns - 12 + 0.5, rows - 8 + 0.5
    # Half of the view is atan(32 / 30), 46.8 degrees; a cell reaches 0.71 m beyond its centre.
    assert len(x_m) > 20 and (x_m > 0).all()
    assert (y_m.abs() <= x_m * 32 / 30 + 1.5).all()
    assert y_m.min() < -2 and y_m.max() > 2


@torch.no_grad()
def test_images_that_the_network_would_pad_are_refused(branch):
    with pytest.raises(ValueError, match='do not divide'):
        branch(torch.randn(1, 6, 3, 36, 64), rig_of(1))


@torch.no_grad()
def test_an_average_does_not_depend_on_how_many_pixels_a_cell_collects(branch):
    # One pixel of weight 0.5 in cell 0, three of weight 0.25 in cell 1, the same feature in all.
    depth = torch.tensor([[0.5], [0.25], [0.25], [0.25]])[..., None, None]  # (pixels, D, 1, 1)
    context = torch.full((4, 3, 1, 1), 7.0)
    cells = torch.tensor([0, 1, 1, 1]).view(1, 4, 1, 1)
    assert branch.average
    bev = branch._splat(depth, context, cells)
    assert torch.allclose(bev[0, :, 0, :3], torch.tensor([7.0, 7.0, 0.0]).expand(3, 3))
    branch.average = False
    summed = branch._splat(depth, context, cells)
    branch.average = True
    assert torch.allclose(summed[0, 0, 0, :2], torch.tensor([3.5, 5.25]))


@torch.no_grad()
def test_a_missing_camera_reaches_no_cell(branch):
    torch.manual_seed(0)
    images = torch.randn(1, 6, 3, *IMAGE_HW)
    changed = images.clone()
    changed[:, 2] = torch.randn(3, *IMAGE_HW)
    rig = CameraRig.from_metas([{**make_meta(), 'camera_present': [True, True, False, True, True, True]}],
                               device=torch.device('cpu'))
    assert torch.equal(branch(images, rig).bev, branch(changed, rig).bev)
    assert not torch.equal(branch(images, rig_of(1)).bev, branch(changed, rig_of(1)).bev)
