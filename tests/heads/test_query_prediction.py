"""The branches end in the box code's order."""
import torch

from geminifusion3d.heads.transfusion_layers import QueryPrediction


def test_each_branch_fills_its_places_and_centres_count_from_the_query():
    prediction = QueryPrediction(channels=4, num_classes=10, branch_channels=6, init_bias=-2.19).eval()
    for number, name in enumerate(('center', 'height', 'dim', 'rot', 'vel', 'heatmap')):
        last = getattr(prediction, name)[-1]
        torch.nn.init.zeros_(last.weight)
        torch.nn.init.constant_(last.bias, number)
    logits, codes = prediction(torch.randn(2, 3, 4), torch.tensor([10.5, 20.5]).expand(2, 3, 2))
    assert logits.shape == (2, 3, 10) and logits.unique().tolist() == [5.0]
    # center 0, height 1, dim 2, rot 3, vel 4
    expected = torch.tensor([10.5, 20.5, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0])
    assert torch.equal(codes, expected.expand(2, 3, 10))


def test_classes_start_at_their_bias():
    prediction = QueryPrediction(channels=4, num_classes=10, branch_channels=6, init_bias=-2.19)
    prediction.init_weights()
    assert torch.equal(prediction.heatmap[-1].bias, torch.full((10,), -2.19))
