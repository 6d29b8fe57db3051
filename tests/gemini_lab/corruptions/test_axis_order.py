"""Which way is which: smears and streaks in their direction, flakes as wide as high, turns in order."""
import numpy as np
import pytest

from gemini_lab.corruptions import images
from gemini_lab.corruptions.clouds import turn
from gemini_lab.corruptions.images import blur_image, directional_blur, fog_image


def roughness(pictures: np.ndarray) -> tuple:
    """Returns how much neighbours in a column, and in a row, differ; (N, H, W)."""
    return tuple(np.abs(np.diff(pictures.astype(float), axis=axis)).mean() for axis in (1, 2))


def test_a_smear_at_90_degrees_goes_up_the_rows_and_at_30_follows_both():
    point = np.zeros((41, 81), np.float32)
    point[20, 40] = 1
    up = directional_blur(point, radius_px=3, sigma_px=2.0, angle_deg=90.0, scale=1.0)
    weights = np.exp(-np.arange(7) ** 2 / 8)
    np.testing.assert_allclose(up[14:21, 40][::-1], weights / weights.sum(), atol=1e-6)
    slanted = directional_blur(point, radius_px=3, sigma_px=2.0, angle_deg=30.0, scale=1.0)
    # Step 6: 6 cos 30 = 5.2 columns and 6 sin 30 = 3 rows.
    assert slanted[17, 35] > 0 and slanted.nonzero()[0].min() == 17 and slanted.nonzero()[1].min() == 35


def test_motion_smears_along_the_rows_more_than_across():
    image = np.random.default_rng(0).integers(0, 256, (60, 400, 3)).astype(np.uint8)
    blurred = np.stack([blur_image(image, 3, np.random.default_rng(seed))[..., 0] for seed in range(8)])
    across, along = roughness(blurred)
    assert along < 0.9 * across


def test_snow_falls_down_and_not_sideways():
    image = np.full((150, 800, 3), 51, np.uint8)
    snowy = np.stack([images.snow_image(image, 3, np.random.default_rng(seed))[..., 0]
                      for seed in range(6)])
    along_the_fall, across = roughness(snowy)
    assert along_the_fall < 0.9 * across


def test_flakes_are_as_wide_as_high_in_a_wide_picture(monkeypatch):
    monkeypatch.setattr(images, 'directional_blur', lambda layer, **_: layer)
    image = np.zeros((100, 1600, 3), np.uint8)
    flakes = images._flakes(image, images.SNOWFALLS[0], np.random.default_rng(0))
    down, along = roughness(flakes[None])
    assert 0.8 < down / along < 1.25


def test_the_veil_is_thinnest_over_the_road_ahead_and_thick_to_the_right():
    image = np.zeros((160, 320, 3), np.uint8)
    image[:, ::8] = 255
    veiled = np.stack([fog_image(image, 3, np.random.default_rng(seed))[..., 0] for seed in range(4)])
    contrast = np.abs(np.diff(veiled.astype(float), axis=2)).mean(axis=0)
    # Clear: rows 104 to 158, columns 32 to 272. The top right corner is 104 rows and 47 columns away.
    clear = contrast[110:155, 40:260].mean()
    assert contrast[:10, 40:260].mean() < 0.75 * clear
    assert contrast[110:155, 310:].mean() < 0.93 * clear


def test_a_misplaced_sweep_turns_about_z_first_then_y_then_x_each_backwards():
    # Not small, so that the order shows. About z by -90 degrees x goes to -y, about y by -90 degrees x goes
    # to z, about x by -90 degrees y goes to -z.
    quarter = turn(90.0)
    # x -> (z) -y -> (y) -y -> (x) z.
    np.testing.assert_allclose(quarter @ [1, 0, 0], [0, 0, 1], atol=1e-12)
    # y -> (z) x -> (y) z -> (x) y.
    np.testing.assert_allclose(quarter @ [0, 1, 0], [0, 1, 0], atol=1e-12)
    # z -> (z) z -> (y) -x -> (x) -x.
    np.testing.assert_allclose(quarter @ [0, 0, 1], [-1, 0, 0], atol=1e-12)
    assert turn(2.0)[0, 0] == pytest.approx(np.cos(np.deg2rad(2.0)) ** 2)
