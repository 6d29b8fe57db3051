"""Sizes scatter as the specifications say; riders sit on what is ridden."""
import numpy as np
import pytest

from gemini_lab.synthetic.categories import RIDER_HEIGHT, SPECS, draw_size


@pytest.mark.parametrize('category', ['vehicle.car', 'vehicle.truck', 'human.pedestrian.adult'])
def test_sizes_have_the_mean_the_spread_and_the_correlation_of_their_specification(category):
    spec, rng = SPECS[category], np.random.default_rng(0)
    logs = np.log([draw_size(spec, rng, False) for _ in range(4000)])
    np.testing.assert_allclose(np.exp(logs.mean(0)), spec.size_m, rtol=0.02)
    # Cut off at two standard deviations, a normal variable keeps 0.96 of its own.
    np.testing.assert_allclose(logs.std(0), 0.96 * np.array(spec.spread), rtol=0.08)
    # Two axes share 0.8 of their deviation: 0.8 squared.
    assert np.corrcoef(logs.T)[0, 1:] == pytest.approx([0.64, 0.64], abs=0.05)


def test_a_rider_makes_a_cycle_higher_and_nothing_else():
    for category, spec in SPECS.items():
        still, ridden = (draw_size(spec, np.random.default_rng(3), is_ridden) for is_ridden in (False, True))
        factor = RIDER_HEIGHT if category in ('vehicle.bicycle', 'vehicle.motorcycle') else 1.0
        np.testing.assert_allclose(ridden, still * [1, 1, factor], atol=2e-3)
