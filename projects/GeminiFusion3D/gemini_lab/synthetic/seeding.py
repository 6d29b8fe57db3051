"""Where every random number and every token of the synthetic world comes from.

A generator is seeded by the seed and by names (scene, channel, timestamp), never by a counter that
several workers share: the bytes of a dataset do not depend on who wrote them, or when.
"""
import hashlib

import numpy as np


def _digest(seed: int, names: tuple) -> bytes:
    text = '|'.join([str(seed), *map(str, names)])
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def make_token(seed: int, *names: object) -> str:
    """Returns the 32 hexadecimal digits that name one table row."""
    return _digest(seed, names).hex()


def make_rng(seed: int, *names: object) -> np.random.Generator:
    """Returns the random generator of one purpose, e.g. `make_rng(0, 'scene-0061', 'actors')`."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, names), 'little')))
