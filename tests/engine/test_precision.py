"""Under mixed precision, what needs float32 is computed in float32, and the loss stays the same."""
from typing import Any, Callable, Dict, List, Tuple

import pytest
import torch
from tiny_detector import build_detector, make_batch
from torch import Tensor

from geminifusion3d.camera_bev import camera_branch
from geminifusion3d.ops import splat

FP32 = torch.float32
DTYPES = {'bf16': torch.bfloat16, 'fp16': torch.float16}


def dtypes_in(value: Any) -> set:
    """Collects the floating dtypes of nested containers of tensors."""
    if torch.is_tensor(value):
        return {value.dtype} if value.is_floating_point() else set()
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return set().union(*map(dtypes_in, parts)) if parts else set()


def recorder(function: Callable, calls: List[Tuple]) -> Callable:
    """Wraps a function so that its arguments and its result are kept."""
    def record(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        calls.append((args, kwargs, result))
        return result
    return record


def run_step(monkeypatch: pytest.MonkeyPatch, dtype: 'torch.dtype | None') -> Dict[str, Any]:
    """Runs forward and backward in a precision; returns the loss, and what passed the critical places."""
    model, seen = build_detector().train(), dict(cells=[], bag=[])
    with monkeypatch.context() as patch:
        patch.setattr(camera_branch, 'frustum_cells', recorder(camera_branch.frustum_cells, seen['cells']))
        patch.setattr(splat.F, 'embedding_bag', recorder(splat.F.embedding_bag, seen['bag']))
        for name, module in (('camera', model.camera_branch), ('sparse', model.lidar_branch.encoder),
                             ('backbone', model.bev_backbone),
                             ('relation', model.fuser.layers[0].relation), ('head', model.bbox_head),
                             ('heatmap_loss', model.bbox_head.loss_cls),
                             ('box_loss', model.bbox_head.loss_bbox)):
            calls = seen.setdefault(name, [])
            module.register_forward_hook(
                lambda m, args, result, calls=calls: calls.append((args, {}, result)))
        with torch.autocast('cpu', dtype=dtype or torch.bfloat16, enabled=dtype is not None):
            losses = model(**model.data_preprocessor(make_batch(), training=True), mode='loss')
    loss = sum(losses.values())
    loss.backward()
    gradients = [weight.grad for weight in model.parameters()]
    return dict(seen, loss=loss, losses=losses, norm=torch.nn.utils.get_total_norm(gradients))


def inputs(calls: List[Tuple]) -> set:
    """Returns the dtypes of what functions or modules were given."""
    assert calls
    return set().union(*(dtypes_in([args, kwargs]) for args, kwargs, _ in calls))


@pytest.fixture(scope='module')
def reference() -> Dict[str, Any]:
    """The step in float32."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run_step(monkeypatch, None)


@pytest.mark.parametrize('precision', ['bf16', 'fp16'])
def test_critical_places_stay_in_float32_and_the_loss_stays_the_same(
        monkeypatch: pytest.MonkeyPatch, reference: Dict[str, Any], precision: str) -> None:
    step = run_step(monkeypatch, DTYPES[precision])
    # The dense convolutions do run in half precision: without that, the rest would prove nothing.
    assert dtypes_in(step['backbone'][0][2]) == {DTYPES[precision]}
    # Geometry: the cell of every pixel and depth is the same.
    assert torch.equal(step['cells'][0][2], reference['cells'][0][2])
    # The depth distribution, and the sums over thousands of pixels that it weighs.
    depth: Tensor = step['camera'][0][2].depth_probability
    assert depth.dtype == FP32
    torch.testing.assert_close(depth.sum(dim=1), torch.ones(depth.sum(dim=1).shape), rtol=0, atol=1e-5)
    assert inputs(step['bag']) == {FP32}
    # Sparse convolutions, relation scores, the head's maps and its losses.
    assert inputs(step['sparse']) == {FP32}
    assert dtypes_in(step['relation'][0][2]) == {FP32}
    assert dtypes_in(step['head'][0][2]) == {FP32}
    assert inputs(step['heatmap_loss']) == inputs(step['box_loss']) == {FP32}
    assert dtypes_in(step['losses']) == {FP32}
    torch.testing.assert_close(step['loss'], reference['loss'], rtol=0.005, atol=0)
    torch.testing.assert_close(step['norm'], reference['norm'], rtol=0.05, atol=0)
