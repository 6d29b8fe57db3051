"""Both maps read each other, each with weights of its own."""
import torch

from geminifusion3d.fusion.cross_attention_fuser import GeminiCrossAttention


def test_the_shares_weigh_the_two_enriched_maps():
    torch.manual_seed(0)
    fuser = GeminiCrossAttention(channels=8, heads=2, window=3)
    camera, lidar = torch.randn(2, 8, 5, 7), torch.randn(2, 8, 5, 7)
    cells = camera.permute(0, 2, 3, 1), lidar.permute(0, 2, 3, 1)
    fuser.merge.alpha.data = torch.tensor([3.0, 1.0]).log()  # shares 3/4 and 1/4
    expected = 0.75 * fuser.camera_attention(*cells) + 0.25 * fuser.lidar_attention(*cells[::-1])
    assert torch.allclose(fuser(camera, lidar), expected.permute(0, 3, 1, 2), atol=1e-6)
