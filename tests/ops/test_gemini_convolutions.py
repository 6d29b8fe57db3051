"""Where products are convolutions: by the CPU, the dtype, the order and the channels; and in which blocks."""
import platform

import pytest
import torch

from geminifusion3d.ops import gemini_convolutions, gemini_passes
from geminifusion3d.ops.gemini_convolutions import blas_is_slow, convolves
from geminifusion3d.ops.gemini_layout import BlockShape

AMD = dict(cpu_name='AMD EPYC', avx512_f=True)
INTEL = dict(cpu_name='Intel(R) Xeon(R) Processor', avx512_f=True)


@pytest.fixture
def machine(monkeypatch):
    """Returns a function that pretends a CPU."""
    def pretend(cpu, mkl=True):
        blas_is_slow.cache_clear()
        monkeypatch.setattr(torch.cpu, 'get_capabilities', lambda: cpu)
        monkeypatch.setattr(torch.backends.mkl, 'is_available', lambda: mkl)
        monkeypatch.setattr(gemini_convolutions, 'HAS_CONVOLUTIONS', True)
    yield pretend
    blas_is_slow.cache_clear()


@pytest.mark.skipif(platform.machine() != 'x86_64', reason='MKL is for x86')
def test_the_library_names_the_cpu():
    # Else an AMD CPU would go back to the BLAS without a word.
    assert torch.cpu.get_capabilities().get('cpu_name')


@pytest.mark.parametrize('cpu, mkl, expected', [
    (AMD, True, True), (AMD, False, False), (INTEL, True, False), (dict(AMD, avx512_f=False), True, False),
    (dict(architecture='aarch64'), True, False)])
def test_mkl_is_slow_on_an_amd_cpu_with_wide_vectors(cpu, mkl, expected, machine):
    machine(cpu, mkl)
    assert blas_is_slow() is expected


@pytest.mark.parametrize('shape, dtype, expected', [
    (BlockShape(1, 2, 5, 64), torch.float32, True), (BlockShape(1, 2, 5, 63), torch.float32, False),
    (BlockShape(2, 2, 5, 64), torch.float32, False), (BlockShape(1, 2, 5, 64), torch.float64, False),
    (BlockShape(1, 2, 5, 64), torch.bfloat16, False)])
def test_products_are_convolutions_in_single_precision_and_channels_last(shape, dtype, expected, machine,
                                                                         monkeypatch):
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 3)
    like = torch.empty(1, shape.channels, dtype=dtype)
    machine(AMD)
    assert convolves(like, shape) is expected
    # Blocks of either library have a size of their own.
    n_cells = gemini_passes.CONVOLVED_CELLS if expected else gemini_passes.CPU_CELLS
    assert gemini_passes.block_limits(like, shape.cell_dim) == (3, n_cells)
    machine(INTEL)
    assert not convolves(like, shape)
    assert gemini_passes.block_limits(like, shape.cell_dim) == (3, gemini_passes.CPU_CELLS)
