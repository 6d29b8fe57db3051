"""Draws belong to their key alone, and a severity picks its value."""
import numpy as np
import pytest

from gemini_lab.corruptions.strength import at, generator_of, px_per_published_px, to_uint8


def test_the_same_key_draws_the_same_whatever_happened_before():
    first = generator_of('token', 'fog', 'CAM_FRONT').random(4)
    np.random.seed(3)
    generator_of('token', 'fog', 'CAM_BACK').random(100)
    assert (generator_of('token', 'fog', 'CAM_FRONT').random(4) == first).all()


@pytest.mark.parametrize('other', [('token', 'fog', 'CAM_BACK'), ('token', 'snow', 'CAM_FRONT'),
                                   ('t', 'fog', 'CAM_FRONT')])
def test_another_key_draws_something_else(other):
    assert (generator_of(*other).random(4) != generator_of('token', 'fog', 'CAM_FRONT').random(4)).all()


def test_draws_are_the_same_on_every_machine():
    # The first 16 bytes of SHA-256 of 'a/b' as a seed of PCG64.
    seed = int.from_bytes(bytes.fromhex('c14cddc033f64b9dea80ea675cf280a0'), 'big')
    assert generator_of('a', 'b').random() == np.random.default_rng(seed).random()


def test_a_severity_picks_its_value():
    assert [at(severity, 'abc') for severity in (1, 2, 3)] == ['a', 'b', 'c']
    with pytest.raises(ValueError, match=r'got severity 0; expected one of \(1, 2, 3\)'):
        at(0, 'abc')


def test_pixels_and_bytes():
    assert px_per_published_px(np.zeros((450, 800, 3))) == 0.5
    assert to_uint8(np.array([-1, 0.5, 0.999, 2])).tolist() == [0, 128, 255, 255]
