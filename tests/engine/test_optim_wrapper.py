"""A step: accumulation equals one large batch, precision, and what a bad batch leaves untouched."""
import copy
from typing import Any, Dict

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from optim_steps import (NAN, assert_same, batches, iterate, make_model, make_wrapper, state_of,
                         train_with_one_bad_rank)
from torch import nn
from toy_training import in_processes

from geminifusion3d.engine import optim_wrapper
from geminifusion3d.engine.optim_wrapper import GeminiOptimWrapper
from geminifusion3d.errors import UserError


@pytest.mark.parametrize('clip_grad', [None, dict(max_norm=0.1, norm_type=2)])
def test_without_options_it_steps_like_the_host(clip_grad: Any) -> None:
    model, plain = make_model(), make_model()
    wrapper = make_wrapper(model, clip_grad=clip_grad)
    host = OptimWrapper(torch.optim.SGD(plain.parameters(), lr=0.1, momentum=0.9),
                        clip_grad=copy.deepcopy(clip_grad))
    for batch in batches(5):
        iterate(model, wrapper, batch)
        iterate(plain, host, batch)
    assert_same(model.state_dict(), plain.state_dict())


def test_accumulation_is_the_mean_over_its_iterations_and_ends_with_the_epoch() -> None:
    # Epochs of five iterations, steps of two: each epoch steps after 2, 4 and 5 iterations.
    model = nn.Linear(3, 1)
    wrapper = make_wrapper(model, accumulative_counts=2)
    wrapper.epoch_length = 5
    wrapper.initialize_count_status(model, 0, 10)
    expected = copy.deepcopy(model)
    optimizer = torch.optim.SGD(expected.parameters(), lr=0.1, momentum=0.9)
    has_stepped = []
    for batch in batches(10):
        iterate(model, wrapper, batch)
        has_stepped.append(wrapper.has_stepped)
    rows = batches(10)
    for group in (rows[0:2], rows[2:4], rows[4:5], rows[5:7], rows[7:9], rows[9:10]):
        optimizer.zero_grad()
        expected(torch.cat(group)).square().mean().backward()
        optimizer.step()
    assert has_stepped == [False, True, False, True, True] * 2
    torch.testing.assert_close(model.state_dict(), expected.state_dict())


@pytest.mark.parametrize('counts', [1, 2])
def test_a_bad_batch_changes_nothing(counts: int) -> None:
    model, rows = make_model(), batches(4)
    wrapper = make_wrapper(model, accumulative_counts=counts)
    for batch in rows[:2]:
        iterate(model, wrapper, batch)
    before = state_of(model, wrapper)
    for _ in range(counts):
        iterate(model, wrapper, rows[2] * NAN)
        assert 'the loss is not finite' in wrapper.skipped.reason
    assert_same(before, state_of(model, wrapper))
    assert wrapper.failures_in_row == 1
    for _ in range(counts):
        iterate(model, wrapper, rows[3])
    assert wrapper.skipped is None and wrapper.has_stepped and wrapper.failures_in_row == 0


def test_one_bad_batch_skips_the_whole_accumulation() -> None:
    model = nn.Linear(3, 1)
    wrapper = make_wrapper(model, accumulative_counts=3)
    before = state_of(model, wrapper)
    for batch, is_bad in zip(batches(3), (False, True, False)):
        iterate(model, wrapper, batch * (NAN if is_bad else 1))
        assert (wrapper.skipped is not None) == is_bad
    assert_same(before, state_of(model, wrapper))
    assert wrapper.failures_in_row == 1
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize('clip_grad', [None, dict(max_norm=1.), dict(type='value', clip_value=1.)])
def test_a_finite_loss_with_a_bad_gradient_is_skipped(clip_grad: Any) -> None:
    model = nn.Linear(3, 1)
    wrapper = make_wrapper(model, clip_grad=clip_grad)
    before = state_of(model, wrapper)
    # The square root of zero has an infinite slope.
    wrapper.update_params((model.weight * 0).sum().sqrt())
    assert wrapper.skipped.is_failure and 'the gradient norm is nan' in wrapper.skipped.reason
    assert_same(before, state_of(model, wrapper))


def test_clipping_bounds_the_step() -> None:
    model = nn.Linear(3, 1, bias=False)
    nn.init.zeros_(model.weight)
    wrapper = make_wrapper(model, clip_grad=dict(max_norm=2.))
    # The gradient is (30, 40, 0), norm 50; clipped to 2 it is (1.2, 1.6, 0), and the rate is 0.1.
    wrapper.update_params(model(torch.tensor([[30., 40., 0.]])).sum())
    torch.testing.assert_close(model.weight.detach(), torch.tensor([[-0.12, -0.16, 0.]]))


def test_an_overflow_of_fp16_lowers_the_scale_and_is_no_failure_until_the_scale_is_spent() -> None:
    model = nn.Linear(3, 1)
    # The loss, 3e37, is finite in float32; its gradient is not.
    nn.init.constant_(model.weight, 0.01)
    wrapper = make_wrapper(model, precision='fp16')
    before = state_of(model, wrapper)
    assert wrapper.loss_scaler.get_scale() == 2 ** 16
    for step in range(16):
        wrapper.update_params(model(torch.full((1, 3), 1e36)).sum() * 1e3)
        assert not wrapper.skipped.is_failure and wrapper.failures_in_row == 0
        assert wrapper.loss_scaler.get_scale() == 2 ** (15 - step)
    assert wrapper.skipped.reason == 'the gradient norm is inf at loss scale 2'
    wrapper.update_params(model(torch.full((1, 3), 1e36)).sum() * 1e3)
    assert wrapper.skipped.is_failure and wrapper.failures_in_row == 1
    assert_same(before, state_of(model, wrapper))


def test_a_loss_scale_neither_changes_the_step_nor_gets_lost_in_a_checkpoint() -> None:
    model, plain = nn.Linear(3, 1), nn.Linear(3, 1)
    plain.load_state_dict(model.state_dict())
    wrapper, reference = make_wrapper(model, precision='fp16'), make_wrapper(plain)
    for batch in batches(3):
        # Outside of optim_context nothing is cast: only the scaling differs.
        wrapper.update_params(model(batch).square().mean())
        reference.update_params(plain(batch).square().mean())
    assert_same(model.state_dict(), plain.state_dict())
    wrapper.loss_scaler.update(256.)
    other = make_wrapper(nn.Linear(3, 1), precision='fp16')
    other.load_state_dict(wrapper.state_dict())
    assert other.loss_scaler.get_scale() == 256.
    # Going on in another precision is allowed, both ways.
    make_wrapper(nn.Linear(3, 1)).load_state_dict(wrapper.state_dict())
    make_wrapper(nn.Linear(3, 1), precision='fp16').load_state_dict(reference.state_dict())


@pytest.mark.parametrize('precision, dtype', [
    ('fp32', torch.float32), ('fp16', torch.float16), ('bf16', torch.bfloat16)])
def test_the_forward_pass_computes_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    model = nn.Linear(3, 1)
    wrapper = make_wrapper(model, precision=precision)
    with wrapper.optim_context(model):
        assert model(torch.ones(1, 3)).dtype == dtype
    assert model(torch.ones(1, 3)).dtype == torch.float32


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="got precision='half'; expected one of fp32, fp16, bf16"):
        make_wrapper(nn.Linear(3, 1), precision='half')


def test_bf16_on_an_old_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda: 'Tesla T4')
    monkeypatch.setattr(torch.cuda, 'is_bf16_supported', lambda including_emulation: False)
    with pytest.raises(UserError, match='bf16 needs a GPU .* got Tesla T4: use fp16'):
        optim_wrapper._check_device('bf16', 'cuda')
    optim_wrapper._check_device('fp16', 'cuda')
    optim_wrapper._check_device('bf16', 'cpu')


def test_a_bad_batch_of_one_process_is_skipped_by_all() -> None:
    assert in_processes(2, train_with_one_bad_rank) == [0, 0]


def test_the_registry_builds_it_from_a_config() -> None:
    init_default_scope('mmdet3d')
    runner = Runner.__new__(Runner)
    runner.model = nn.Linear(3, 1)
    built = runner.build_optim_wrapper(dict(
        type='GeminiOptimWrapper', optimizer=dict(type='AdamW', lr=0.1), precision='bf16',
        clip_grad=dict(max_norm=35, norm_type=2), accumulative_counts=4))
    assert isinstance(built, GeminiOptimWrapper) and built.accumulative_counts == 4


@pytest.mark.parametrize('asked, precision', [
    (dict(type='OptimWrapper', precision='fp32'), 'fp32'),
    (dict(type='AmpOptimWrapper', loss_scale='dynamic', precision='fp32'), 'bf16'),
    (dict(type='AmpOptimWrapper', loss_scale='dynamic', precision='fp16'), 'fp16'),
    (dict(type='GeminiOptimWrapper', precision='bf16'), 'bf16')])
def test_the_wrappers_that_mmdet3d_asks_for_become_ours(asked: Dict[str, Any], precision: str) -> None:
    init_default_scope('mmdet3d')
    built = build_optim_wrapper(nn.Linear(3, 1), dict(
        constructor='GeminiOptimWrapperConstructor', optimizer=dict(type='AdamW', lr=0.1),
        accumulative_counts=4, **asked))
    assert isinstance(built, GeminiOptimWrapper)
    assert (built.precision, built.accumulative_counts) == (precision, 4)
