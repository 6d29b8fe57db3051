"""Inputs go to the model's device without waiting, ground truth stays; the numbers are mmdet3d's."""
import torch
from mmdet3d.models import Det3DDataPreprocessor
from tiny_detector import build_detector, make_batch

from geminifusion3d.data_preprocessor import GeminiDataPreprocessor

NORM = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)


def test_inputs_are_copied_without_blocking_and_ground_truth_stays(monkeypatch) -> None:
    copied = []
    monkeypatch.setattr(torch.Tensor, 'to',
                        lambda self, *args, **kwargs: copied.append((args, kwargs)) or self)
    preprocess, samples = GeminiDataPreprocessor(**NORM), [object()]
    preprocess._device = torch.device('meta')
    inputs = dict(points=[torch.ones(2, 5)], img=[torch.ones(1)])
    data = preprocess.cast_data(dict(inputs=inputs, data_samples=samples))
    assert data['data_samples'] is samples
    assert copied == [((torch.device('meta'),), dict(non_blocking=True))] * 2


def test_its_numbers_are_those_of_mmdet3d() -> None:
    ours = GeminiDataPreprocessor(**NORM)(make_batch(), training=True)
    theirs = Det3DDataPreprocessor(**NORM)(make_batch(), training=True)
    assert torch.equal(ours['inputs']['imgs'], theirs['inputs']['imgs'])
    for one, other in zip(ours['inputs']['points'], theirs['inputs']['points']):
        assert torch.equal(one, other)


def test_the_recipes_use_it() -> None:
    assert isinstance(build_detector().data_preprocessor, GeminiDataPreprocessor)
