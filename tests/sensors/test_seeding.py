"""Randomness belongs to the key, and leaves no trace."""
import random

import numpy as np
import torch

from geminifusion3d.sensors.draws import seeded_generators


def draw() -> tuple:
    return random.random(), np.random.uniform(), torch.rand(1).item()


def drawn(key: tuple) -> tuple:
    with seeded_generators(key):
        return draw()


def test_the_same_key_draws_the_same_and_another_key_draws_anew():
    assert drawn((0, 1, 2)) == drawn((0, 1, 2))
    assert len({drawn(key) for key in [(0, 1, 2), (0, 2, 1), (1, 1, 2), (0, 1, 3)]}) == 4


def test_the_generators_go_on_as_if_nothing_had_been_drawn():
    with seeded_generators((5,)):
        expected = [draw(), draw()]
    with seeded_generators((5,)):
        first = draw()
        drawn((9, 9))
        assert [first, draw()] == expected


def test_the_generators_are_restored_after_an_error():
    with seeded_generators((5,)):
        expected = draw()
    with seeded_generators((5,)):
        try:
            with seeded_generators((6,)):
                raise RuntimeError
        except RuntimeError:
            assert draw() == expected
