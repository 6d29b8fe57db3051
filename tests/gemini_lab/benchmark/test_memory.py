"""The peak of a call's memory, exact on a CPU: temporaries and results, not what stood before."""
import pytest
import torch

from gemini_lab.benchmark.contest import peak_extra_bytes, peak_of

CPU = torch.device('cpu')


def test_a_result_counts_and_what_stood_before_does_not():
    x = torch.ones(256, 1000)
    assert peak_extra_bytes(lambda: x + x, CPU) == 1_024_000
    assert peak_extra_bytes(lambda: x.add_(x), CPU) == 0


def test_temporaries_count_while_they_live():
    x = torch.ones(256, 1000)

    def three_at_once():
        a = x + 1
        b = a + x
        return a + b

    def two_at_once():
        a = x + 1
        a = a + x
        return a

    assert peak_extra_bytes(three_at_once, CPU) == pytest.approx(3 * 1_024_000, abs=100)
    assert peak_extra_bytes(two_at_once, CPU) == pytest.approx(2 * 1_024_000, abs=100)


def test_what_a_graph_keeps_for_backward_counts():
    x, w = torch.ones(64, 1000), torch.ones(1000, 1000, requires_grad=True)

    def step():
        torch.autograd.backward([(x @ w).exp().sum()])
        w.grad = None

    # The gradient of the weights, 4 MB, and products of 256 kB.
    assert 4_000_000 < peak_extra_bytes(step, CPU) < 5_000_000


def test_the_peak_is_the_highest_running_sum():
    assert peak_of([5, 3, -4, 2, -6]) == 8
    assert peak_of([-3, 2]) == 0 and peak_of([]) == 0
