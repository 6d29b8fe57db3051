"""What is kept for the backward pass: which maps, how large, and which part is a block's."""
import pytest
import torch

from geminifusion3d.ops.gemini_kept import empty_kept, kept_names, kept_of_block
from geminifusion3d.ops.gemini_layout import BlockShape
from geminifusion3d.ops.gemini_weights import CAMERA, LIDAR, LayerWeights

NAMES = ['hidden 0', 'relation 0', 'query 0', 'key 0', 'value 0',
         'hidden 1', 'relation 1', 'query 1', 'key 1', 'value 1']


@pytest.mark.parametrize('relation, readers, expected', [
    ('some', (CAMERA, LIDAR), NAMES), (None, (LIDAR, ), ['query 1', 'key 1', 'value 1'])])
def test_every_product_but_the_last_of_each_direction_is_kept(relation, readers, expected):
    weights = LayerWeights(relation, dict.fromkeys(readers), heads=3, full=True, merged=False)
    assert kept_names(weights) == expected
    camera = torch.zeros(2, 3, 5, 6, dtype=torch.float64)
    kept = empty_kept((camera, camera), weights)
    assert kept.shape == (len(expected), 30, 6) and kept.dtype == torch.float64


def test_a_blocks_part_is_that_of_its_cells():
    kept = torch.arange(2 * 30 * 6).view(2, 30, 6)
    # Cells 8 to 15 in two parts of four.
    parts = kept_of_block([kept], ['query 0', 'key 0'], BlockShape(1, 2, 4, 6), first=8)
    assert list(parts) == ['query 0', 'key 0']
    for index, part in enumerate(parts.values()):
        assert part.shape == (2, 4, 6) and part.is_contiguous()
        assert torch.equal(part.reshape(8, 6), kept[index, 8:16])
        assert part.untyped_storage().data_ptr() == kept.untyped_storage().data_ptr()
    assert kept_of_block([], ['query 0'], BlockShape(1, 2, 4, 6), first=8) == {}
