"""Each corruption of pictures against its formula on small pictures, and what grows with severity."""
import numpy as np
import pytest

from gemini_lab.corruptions.images import (blur_image, brighten, cloud_map, darken, directional_blur,
                                           fog_image, lose_image, snow_image)

ALL = [brighten, darken, fog_image, blur_image, snow_image, lose_image]
STRONG = [brighten, darken, fog_image, blur_image, snow_image]


def picture(height: int = 90, width: int = 160) -> np.ndarray:
    """Returns a picture of gradients and edges, black and white included."""
    rows, columns = np.mgrid[:height, :width]
    stripes = 255 * (columns // 8 % 2)
    return np.stack([255 * rows // (height - 1), 255 * columns // (width - 1), stripes], -1).astype(np.uint8)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize('corrupt', ALL)
def test_pictures_keep_size_and_type_and_the_input_stays(corrupt):
    image = picture()
    before = image.copy()
    for severity in (1, 2, 3):
        first, second = (corrupt(image, severity, drawn(3)) for _ in range(2))
        assert first.shape == image.shape and first.dtype == np.uint8
        assert (first == second).all()
    assert (image == before).all()


@pytest.mark.parametrize('corrupt', ALL)
@pytest.mark.parametrize('severity', [0, 4])
def test_other_severities_are_refused(corrupt, severity):
    with pytest.raises(ValueError, match=r'expected one of \(1, 2, 3\)'):
        corrupt(picture(), severity, drawn())


@pytest.mark.parametrize('corrupt', STRONG)
def test_a_severer_corruption_leaves_less_of_the_picture(corrupt):
    image = picture(225, 400)
    distance = [np.abs(corrupt(image, severity, drawn(1)).astype(float) - image).mean()
                for severity in (1, 2, 3)]
    assert 0 < distance[0] < distance[1] < distance[2]


@pytest.mark.parametrize('corrupt', [darken, fog_image, blur_image, snow_image])
def test_other_draws_give_other_pictures(corrupt):
    assert (corrupt(picture(), 2, drawn(1)) != corrupt(picture(), 2, drawn(2))).any()


def test_brightness_raises_the_largest_channel_and_keeps_the_ratios():
    # Value 100 / 255, plus 0.5: 227.5; the channels keep 1 : 0.5 : 0.25. White stays white.
    image = np.array([[[100, 50, 25], [255, 255, 255]]], np.uint8)
    bright = brighten(image, 1, drawn())
    np.testing.assert_allclose(bright[0, 0], [227.5, 113.75, 56.875], atol=1)
    assert (bright[0, 1] == 255).all()
    assert (brighten(np.zeros((1, 1, 3), np.uint8), 3, drawn()) == round(0.7 * 255)).all()


def test_darkness_squares_the_picture_and_scales_it():
    # Half grey: 0.5 squared times 0.6 is 0.15; noise of both kinds is averaged over the pixels.
    image = np.full((200, 1600, 3), 128, np.uint8)
    image[0], image[1] = 0, 255
    dark = darken(image, 1, drawn())[2:] / 255
    tone = (128 / 255) ** 2 * 0.6
    assert dark.mean() == pytest.approx(tone, abs=2e-4)
    # Variance: tone / 250 photons, and 0.008 of the sensor, squared; bytes add 1 / 12 of a level.
    assert dark.var() == pytest.approx(tone / 250 + 0.008 ** 2 + 1 / 12 / 255 ** 2, rel=0.03)


def test_darkness_of_a_smaller_picture_has_the_noise_of_the_averaged_larger_one():
    image = np.full((100, 800, 3), 128, np.uint8)
    image[0], image[1] = 0, 255
    tone = (128 / 255) ** 2 * 0.6
    full = tone / 250 + 0.008 ** 2
    variance = darken(image, 1, drawn())[2:].var() / 255 ** 2
    assert variance == pytest.approx(full / 4 + 1 / 12 / 255 ** 2, rel=0.04)


def test_a_black_picture_stays_nearly_black_in_the_dark_and_in_fog_turns_to_the_veil():
    black = np.zeros((90, 160, 3), np.uint8)
    assert darken(black, 3, drawn()).mean() < 4
    veil = fog_image(black, 3, drawn())
    assert 0 < veil.max() <= 128


def test_fog_veils_the_sky_more_than_the_road_ahead():
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, ::16] = 255
    contrast = np.mean([np.abs(np.diff(fog_image(image, 3, drawn(seed)).astype(float), axis=1))
                        for seed in range(4)], axis=(0, 3))
    assert contrast[:20].mean() < 0.8 * contrast[130:170, 60:250].mean()


def test_clouds_fill_0_to_1_and_are_smooth():
    clouds = cloud_map((90, 160), drawn())
    assert clouds.shape == (90, 160)
    whole = cloud_map((64, 64), drawn())
    assert whole.min() == 0 and whole.max() == 1
    assert np.abs(np.diff(clouds, axis=1)).mean() < 0.2 * clouds.std()


def test_a_blurred_point_becomes_half_a_gaussian_along_the_direction():
    point = np.zeros((41, 81), np.float32)
    point[20, 40] = 1
    blurred = directional_blur(point, radius_px=3, sigma_px=2.0, angle_deg=0.0, scale=1.0)
    weights = np.exp(-np.arange(7) ** 2 / 8)
    np.testing.assert_allclose(blurred[20, 34:41][::-1], weights / weights.sum(), atol=1e-6)
    assert blurred.sum() == pytest.approx(1, abs=1e-6)
    # Half as many pixels for the same length of the scene.
    small = directional_blur(point, radius_px=3, sigma_px=2.0, angle_deg=0.0, scale=0.5)
    assert (small[20] > 0).sum() == 4 and small.sum() == pytest.approx(1, abs=1e-6)


def test_motion_blur_keeps_a_plain_picture():
    plain = np.full((50, 80, 3), 77, np.uint8)
    assert (blur_image(plain, 3, drawn()) == 77).all()


def test_snow_adds_flakes_to_a_dimmed_picture():
    # Without a flake: 0.9 * (0.9 x + 0.1 max(x, 1.5 grey + 0.5)) with x = grey = 0.2.
    image = np.full((450, 800, 3), 51, np.uint8)
    snowy = snow_image(image, 1, drawn())
    plain = 0.9 * (0.9 * 0.2 + 0.1 * 0.8) * 255
    assert abs(np.median(snowy) - plain) <= 1
    assert 0.005 < (snowy[..., 0] > plain + 10).mean() < 0.2


def test_cameras_are_lost_as_often_as_published_and_never_found_again():
    image = np.full((2, 2, 3), 9, np.uint8)
    lost = np.array([[not lose_image(image, severity, drawn(seed)).any() for severity in (1, 2, 3)]
                     for seed in range(2000)])
    np.testing.assert_allclose(lost.mean(axis=0), [0.2, 0.4, 0.6], atol=0.045)
    assert (lost[:, 0] <= lost[:, 1]).all() and (lost[:, 1] <= lost[:, 2]).all()
