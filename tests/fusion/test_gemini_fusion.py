"""GeminiFusion: pixel-wise, symmetric, and each part of it has an effect."""
import pytest
import torch

from geminifusion3d.fusion.gemini_fusion import CAMERA, LIDAR, GeminiFusion


def build(layers=2):
    """Returns a fuser whose parameters are all different from their start."""
    torch.manual_seed(0)
    fuser = GeminiFusion(channels=8, heads=2, layers=layers)
    for parameter in fuser.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return fuser


def maps(seed=1):
    """Returns two maps of 3 rows and 5 columns."""
    torch.manual_seed(seed)
    return torch.randn(2, 8, 3, 5), torch.randn(2, 8, 3, 5)


def test_moving_the_cells_moves_the_result_and_nothing_else():
    fuser, (camera, lidar) = build(), maps()
    order = torch.randperm(15)

    def shuffle(bev):
        return bev.flatten(2)[..., order].view_as(bev)
    assert torch.allclose(fuser(shuffle(camera), shuffle(lidar)), shuffle(fuser(camera, lidar)), atol=1e-6)


def test_swapping_the_modalities_and_their_weights_changes_nothing():
    fuser, swapped, (camera, lidar) = build(), build(), maps()
    for ours, theirs in zip(fuser.layers, swapped.layers):
        theirs.camera_attention.load_state_dict(ours.lidar_attention.state_dict())
        theirs.lidar_attention.load_state_dict(ours.camera_attention.state_dict())
        theirs.k_noise.weight.data = ours.k_noise.weight.data.flip(0)
        theirs.v_noise.weight.data = ours.v_noise.weight.data.flip(0)
    swapped.alpha.data = fuser.alpha.data.flip(0)
    assert torch.allclose(swapped(lidar, camera), fuser(camera, lidar), atol=1e-6)
    assert not torch.allclose(fuser(lidar, camera), fuser(camera, lidar), atol=1e-2)


def test_alpha_weighs_the_two_outputs_by_its_softmax():
    fuser, (camera, lidar) = build(layers=1), maps()
    new_camera, new_lidar = fuser.layers[0](camera.permute(0, 2, 3, 1), lidar.permute(0, 2, 3, 1))
    fuser.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    expected = (0.75 * new_camera + 0.25 * new_lidar).permute(0, 3, 1, 2)
    assert torch.allclose(fuser(camera, lidar), expected, atol=1e-6)


@pytest.mark.parametrize('row', [CAMERA, LIDAR])
@pytest.mark.parametrize('name', ['k_noise', 'v_noise'])
def test_each_modality_of_each_layer_has_its_own_noise(name, row):
    fuser, (camera, lidar) = build(), maps()
    before = fuser(camera, lidar)
    for layer in fuser.layers:
        changed = getattr(layer, name).weight
        kept = changed.data.clone()
        changed.data[row] += 1.0
        assert not torch.allclose(fuser(camera, lidar), before, atol=1e-4)
        changed.data = kept


def test_every_parameter_learns():
    fuser, (camera, lidar) = build(), maps()
    fuser(camera, lidar).square().sum().backward()
    silent = [name for name, p in fuser.named_parameters() if p.grad is None or not p.grad.any()]
    assert not silent


def test_maps_of_two_shapes_are_refused():
    camera, lidar = maps()
    with pytest.raises(ValueError, match='maps of one shape'):
        build()(camera, lidar.transpose(2, 3))
