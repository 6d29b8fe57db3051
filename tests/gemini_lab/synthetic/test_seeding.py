"""Tokens and random numbers depend on the seed and on names, on nothing else."""
import hashlib

from gemini_lab.synthetic.seeding import make_rng, make_token


def test_a_token_is_the_md5_of_seed_and_names():
    assert make_token(0, 'scene-0061', 'sample', 3) == hashlib.md5(
        b'0|scene-0061|sample|3').hexdigest()


def test_the_same_names_draw_the_same_numbers_and_others_do_not():
    first = make_rng(0, 'scene-0061', 'actors').random(4).tolist()
    assert make_rng(0, 'scene-0061', 'actors').random(4).tolist() == first
    assert make_rng(1, 'scene-0061', 'actors').random(4).tolist() != first
    assert make_rng(0, 'scene-0061', 'ego').random(4).tolist() != first
