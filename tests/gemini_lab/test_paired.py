"""Intervals, Holm and power against numbers worked out by hand or by simulation; pairing by seed."""
import math

import numpy as np
import pytest

from gemini_lab.paired import detectable, holm, of_differences, paired, pairs_needed, pooled_spread, power


def test_the_interval_is_students():
    # Mean 2, standard deviation 1, standard error 1 / sqrt(3); t(0.975, 2) = 4.302653.
    found = of_differences([1.0, 2.0, 3.0])
    assert (found.mean, found.spread, found.pairs) == (2.0, 1.0, 3)
    assert found.low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-5)
    assert found.high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-5)
    # t = 3.4641 of two degrees of freedom: p = 1 - t / sqrt(2 + t^2).
    assert found.p == pytest.approx(1 - 3.4641016 / math.sqrt(14), abs=1e-6)


def test_one_pair_has_no_interval_and_equal_pairs_a_sure_one():
    assert of_differences([0.5]).mean == 0.5 and math.isnan(of_differences([0.5]).p)
    assert of_differences([0.5, 0.5]).p == 0 and of_differences([0.0, 0.0]).p == 1


def test_pairs_are_of_the_same_seed():
    found = paired({2: 0.5, 0: 0.3, 7: 0.9}, {0: 0.2, 2: 0.1, 5: 0.9})
    # 0.3 - 0.2 and 0.5 - 0.1; seeds 5 and 7 have no partner.
    assert found.pairs == 2 and found.mean == pytest.approx(0.25)
    assert found.spread == pytest.approx(math.sqrt(2 * 0.15 ** 2))
    with pytest.raises(ValueError, match='expected a common one'):
        paired({1: 0.5}, {2: 0.5})


def test_holm_steps_down_and_never_falls():
    corrected = holm(dict(a=0.01, b=0.04, c=0.03, d=math.nan))
    # 3 x 0.01, 2 x 0.03, and 0.04 raised to what stands before it.
    assert corrected['a'] == pytest.approx(0.03) and corrected['c'] == pytest.approx(0.06)
    assert corrected['b'] == pytest.approx(0.06) and math.isnan(corrected['d'])
    assert holm(dict(a=0.9, b=0.8)) == dict(a=1.0, b=1.0)


def test_power_is_how_often_simulated_tests_see_the_difference():
    draws = np.random.default_rng(0).normal(0.5, 1.0, (4000, 20))
    seen = np.mean([of_differences(row).p < 0.05 for row in draws[:1000]])
    assert power(0.5, 1.0, 20) == pytest.approx(seen, abs=0.04)
    # A textbook's number: an effect of half a standard deviation needs 34 pairs.
    assert pairs_needed(0.5, 1.0) == 34
    assert pairs_needed(0.5, 1.0, alpha=0.01) > 34
    assert power(detectable(12, 0.02), 0.02, 12) == pytest.approx(0.8, abs=1e-4)


def test_a_pooled_spread_leaves_each_groups_mean_out():
    # Squares 2 and 0.5 over 1 + 1 degrees of freedom.
    assert pooled_spread([[1.0, 3.0], [10.0, 11.0]]) == pytest.approx(math.sqrt(1.25))
