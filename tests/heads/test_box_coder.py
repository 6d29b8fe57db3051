"""Box codes: numbers by hand, there and back, and what is not known."""
import math

import torch

from geminifusion3d.geometry.bev_grid import BEVGrid
from geminifusion3d.heads.transfusion_targets import BoxCoder

CODER = BoxCoder(BEVGrid(range_m=(-12., -8., -3., 12., 8., 3.), cell_m=0.5))


def test_a_code_by_hand():
    box = torch.tensor([[-9.0, 6.0, -1.0, 4.0, 2.0, 1.5, math.pi / 2, 3.0, -2.0]])
    # x: (-9 + 12) / 0.5 = 6 cells, y: (6 + 8) / 0.5 = 28 cells, z: -1 + 1.5 / 2
    expected = [6.0, 28.0, -0.25, math.log(4), math.log(2), math.log(1.5), 1.0, 0.0, 3.0, -2.0]
    assert torch.allclose(CODER.encode(box), torch.tensor([expected]), atol=1e-6)


def test_there_and_back_keeps_boxes_and_changes_no_input():
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(2, 50, 9, generator=generator) * 6 - 3
    boxes[..., 3:6] = boxes[..., 3:6].abs() + 0.1
    given = boxes.clone()
    codes = CODER.encode(boxes)
    kept_codes = codes.clone()
    assert torch.allclose(CODER.decode(codes), boxes, atol=1e-5)
    assert torch.equal(boxes, given) and torch.equal(codes, kept_codes)


def test_an_unknown_velocity_stays_unknown_and_touches_nothing_else():
    box = torch.tensor([1.0, 1.0, 0.0, 4.0, 2.0, 1.5, 0.3, float('nan'), float('nan')])
    assert CODER.encode(box).isnan().tolist() == [False] * 8 + [True, True]


def test_half_precision_codes_decode_in_float32():
    # 35.25 cells and 26.5 cells are exact in bfloat16; -12 + 35.25 / 2 = 5.625 there as well.
    code = torch.tensor([[35.25, 26.5, 0, 0, 0, 0, 0, 1, 0, 0]], dtype=torch.bfloat16)
    box = CODER.decode(code)
    assert box.dtype == torch.float32
    assert torch.allclose(box[0, :3], torch.tensor([5.625, 5.25, -0.5]))
