"""Exchange of cells: which are replaced, by what, and that training finds the poor ones."""
import pytest
import torch
from torch.nn import functional as F

from geminifusion3d.fusion.token_exchange import GeminiTokenExchange, TokenScore


def maps():
    """Returns two maps of 3 rows and 5 columns."""
    torch.manual_seed(1)
    return torch.randn(2, 8, 3, 5), torch.randn(2, 8, 3, 5)


def test_exactly_the_cells_below_the_threshold_are_replaced():
    torch.manual_seed(0)
    fuser, (camera, lidar) = GeminiTokenExchange(channels=8), maps()
    cells = camera.permute(0, 2, 3, 1), lidar.permute(0, 2, 3, 1)
    with torch.no_grad():
        scores = fuser.camera_score(cells[0]), fuser.lidar_score(cells[1])
        scaled = cells[0] * scores[0], cells[1] * scores[1]
        replacements = fuser.camera_from_lidar(scaled[1]), fuser.lidar_from_camera(scaled[0])
    for i in range(2):
        fuser.threshold = scores[i].median().item()
        enriched = fuser.exchange(*cells, *scores)[i]
        is_kept = (scores[i] >= fuser.threshold).squeeze(-1)
        assert is_kept.sum() == 16  # of 30: the median and those above it
        assert torch.equal(enriched[is_kept], scaled[i][is_kept])
        assert torch.equal(enriched[~is_kept], replacements[i][~is_kept])


def test_a_threshold_of_zero_keeps_and_of_one_replaces_every_cell():
    camera, lidar = maps()
    for threshold, reads_own in ((0.0, True), (1.0, False)):
        fuser = GeminiTokenExchange(channels=8, threshold=threshold).eval()
        fuser.merge.alpha.data = torch.tensor([40.0, -40.0])  # the camera's result alone
        # The score of a LiDAR cell cannot change what a kept camera cell says.
        changed = fuser(camera, lidar + torch.randn_like(lidar))
        assert torch.allclose(changed, fuser(camera, lidar), atol=1e-5) == reads_own


def test_a_score_is_the_softmax_over_two_classes():
    torch.manual_seed(0)
    score, cells = TokenScore(channels=8), torch.randn(4, 8)
    logit = torch.nn.Sequential(*score)(cells)
    two_classes = torch.cat([logit, torch.zeros_like(logit)], dim=-1).softmax(-1)
    assert torch.allclose(score(cells), two_classes[:, :1])


def test_the_penalty_is_the_mean_score_whatever_the_size_of_the_map():
    torch.manual_seed(0)
    fuser, (camera, lidar) = GeminiTokenExchange(channels=8, sparsity_weight=0.1), maps()
    expected = 0.1 * (fuser.camera_score(camera.permute(0, 2, 3, 1)).mean()
                      + fuser.lidar_score(lidar.permute(0, 2, 3, 1)).mean())
    found = fuser(camera, lidar).losses
    assert list(found) == ['loss_exchange_scores']
    assert torch.allclose(found['loss_exchange_scores'], expected)
    twice = fuser(camera.repeat(1, 1, 2, 1), lidar.repeat(1, 1, 2, 1)).losses
    assert torch.allclose(twice['loss_exchange_scores'], expected)


def test_training_replaces_the_cells_that_say_nothing_and_keeps_the_others():
    torch.manual_seed(0)
    fuser = GeminiTokenExchange(channels=8, threshold=0.1, sparsity_weight=0.2)
    optimizer = torch.optim.Adam(fuser.parameters(), lr=3e-3)
    for _ in range(300):
        truth = torch.randn(2, 8, 4, 6)
        # The camera sees nothing in the right half, the LiDAR nothing in the left half.
        is_right = (torch.arange(6) >= 3).float()
        camera, lidar = truth * (1 - is_right), truth * is_right
        fused = fuser(camera, lidar)
        loss = F.mse_loss(fused.bev, truth) + sum(fused.losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scores = fuser.camera_score(camera.permute(0, 2, 3, 1)).squeeze(-1)
    assert scores[..., :3].min() > fuser.threshold > scores[..., 3:].max()


def test_a_threshold_outside_the_scores_is_refused():
    with pytest.raises(ValueError, match='got threshold=2'):
        GeminiTokenExchange(channels=8, threshold=2.0)
