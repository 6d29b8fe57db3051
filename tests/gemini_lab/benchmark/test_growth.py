"""Slopes of power laws, and what the next size will cost."""
import pytest

from gemini_lab.benchmark.growth import log_log_slope, predicted


@pytest.mark.parametrize('power', [0.5, 1.0, 2.0])
def test_the_slope_is_the_exponent_of_a_power_law(power):
    points = [(n, 3e-6 * n ** power) for n in (1024, 4096, 16384, 129600)]
    assert log_log_slope(points) == pytest.approx(power)


def test_one_size_has_no_slope():
    assert log_log_slope([(10, 1.0)]) is None and log_log_slope([(10, 1.0), (10, 2.0)]) is None


def test_growth_goes_on_as_it_was_at_the_end_and_is_never_taken_for_less_than_linear():
    # Four times the cells took sixteen times as long; twice as many will take four times as long.
    assert predicted([(100, 1.0), (400, 16.0)], 800) == pytest.approx(64.0)
    assert predicted([(100, 1.0), (400, 1.0)], 800) == pytest.approx(2.0)
    assert predicted([(100, 1.0)], 300) == pytest.approx(3.0)
    assert predicted([(100, 1.0)], 300, power=2.0) == pytest.approx(9.0)
    assert predicted([], 300) is None
