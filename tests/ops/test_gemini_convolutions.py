"""Where products are convolutions: by the maker of the CPU, the dtype, the order and the channels."""
import pytest
import torch

from geminifusion3d.ops import gemini_convolutions
from geminifusion3d.ops.gemini_convolutions import blas_is_slow, convolves, cpu_maker
from geminifusion3d.ops.gemini_layout import BlockShape

AMD = 'processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: avx512f\n\nvendor_id\t: AuthenticAMD\n'
INTEL = 'processor\t: 0\nvendor_id\t: GenuineIntel\n'


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Returns a function that pretends a CPU of a maker and its vectors."""
    def pretend(facts, vectors='AVX512'):
        file = tmp_path / 'cpuinfo'
        file.write_text(facts)
        monkeypatch.setattr(gemini_convolutions, 'CPU_FACTS', file)
        monkeypatch.setattr(gemini_convolutions, 'HAS_CONVOLUTIONS', True)
        monkeypatch.setattr(torch.backends.mkl, 'is_available', lambda: True)
        monkeypatch.setattr(torch.backends.cpu, 'get_cpu_capability', lambda: vectors)
    blas_is_slow.cache_clear()
    yield pretend
    blas_is_slow.cache_clear()


@pytest.mark.parametrize('facts, maker', [(AMD, 'AuthenticAMD'), (INTEL, 'GenuineIntel'),
                                          ('Processor: ARM', None), ('', None)])
def test_the_maker_is_read_from_what_linux_says(facts, maker, tmp_path):
    (tmp_path / 'cpuinfo').write_text(facts)
    assert cpu_maker(tmp_path / 'cpuinfo') == maker
    assert cpu_maker(tmp_path / 'none') is None


@pytest.mark.parametrize('facts, vectors, expected', [
    (AMD, 'AVX512', True), (INTEL, 'AVX512', False), (AMD, 'AVX2', False), ('', 'AVX512', False)])
def test_mkl_is_slow_where_a_cpu_of_another_maker_has_wide_vectors(facts, vectors, expected, machine):
    machine(facts, vectors)
    assert blas_is_slow() is expected


@pytest.mark.parametrize('shape, dtype, expected', [
    (BlockShape(1, 2, 5, 64), torch.float32, True), (BlockShape(1, 2, 5, 63), torch.float32, False),
    (BlockShape(2, 2, 5, 64), torch.float32, False), (BlockShape(1, 2, 5, 64), torch.float64, False),
    (BlockShape(1, 2, 5, 64), torch.bfloat16, False)])
def test_products_are_convolutions_in_single_precision_and_channels_last(shape, dtype, expected, machine):
    machine(AMD)
    assert convolves(torch.empty(1, dtype=dtype), shape) is expected
    machine(INTEL)
    blas_is_slow.cache_clear()
    assert not convolves(torch.empty(1, dtype=dtype), shape)
