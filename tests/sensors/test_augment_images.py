"""Each augmented pixel shows the raw pixel that the matrix says."""
import numpy as np
import pytest
from PIL import Image

from geminifusion3d.sensors import GeminiAugmentImages
from geminifusion3d.sensors.augment_images import GeminiFlipImages, ImageAugmentation, augment_image
from geminifusion3d.sensors.load_images import resize_matrix

HEIGHT, WIDTH = 90, 160


def address_image(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """An image whose pixels hold their own (u, v, 1); black outside shows as 0 in the third."""
    v, u = np.mgrid[:height, :width].astype(np.float32)
    return np.dstack([u, v, np.ones_like(u)])


def assert_pixels_come_from_where_the_matrix_says(image: np.ndarray, matrix: np.ndarray,
                                                  scale: float) -> None:
    v, u = np.mgrid[:image.shape[0], :image.shape[1]]
    linear = matrix[:2, :2].astype(np.float64)
    expected = np.linalg.inv(linear) @ (np.stack([u.ravel(), v.ravel()]) - matrix[:2, 3:4])
    margin_px = 1 + 1 / scale
    is_inner = ((expected > margin_px) & (expected.T < [WIDTH - 1 - margin_px,
                                                        HEIGHT - 1 - margin_px]).T).all(axis=0)
    assert is_inner.mean() > 0.3
    shown = image[..., :2].reshape(-1, 2).T[:, is_inner]
    # Averaging areas of uneven width and interpolating on a grid of 1/32 pixel leave a little
    # noise, but no shift.
    np.testing.assert_allclose(shown, expected[:, is_inner], atol=0.2)
    assert np.abs((shown - expected[:, is_inner]).mean(axis=1)).max() < 0.03
    is_outside = ((expected < -margin_px) | (expected.T > [WIDTH + margin_px,
                                                           HEIGHT + margin_px]).T).any(axis=0)
    assert (image[..., 2].ravel()[is_outside] == 0).all()


@pytest.mark.parametrize('augmentation, scale', [
    (ImageAugmentation((90, 160), (0, 0), False, 0.0), 1.0),
    (ImageAugmentation((45, 80), (10, 5), False, 0.0), 0.5),
    (ImageAugmentation((63, 112), (20, 21), True, 0.0), 0.7),
    (ImageAugmentation((90, 160), (30, 20), False, 10.0), 1.0),
    (ImageAugmentation((135, 240), (50, 60), True, -7.5), 1.5),
    (ImageAugmentation((45, 80), (-10, -6), True, 4.0), 0.5),
])
def test_every_pixel_shows_what_the_matrix_says(augmentation, scale):
    image, matrix = augment_image(address_image(), augmentation, (48, 72))
    assert image.shape == (48, 72, 3)
    assert_pixels_come_from_where_the_matrix_says(image, matrix, scale)


def test_the_matrix_of_halving_cropping_and_flipping_by_hand():
    _, matrix = augment_image(address_image(), ImageAugmentation((45, 80), (10, 5), True, 0.0),
                              (40, 60))
    # Raw pixel (41, 31): halved (20.25, 15.25), cropped (10.25, 10.25), flipped 59 - 10.25.
    np.testing.assert_allclose(matrix @ [41, 31, 1, 1], [48.75, 10.25, 1, 1])


def test_a_positive_angle_turns_counter_clockwise_as_seen():
    _, matrix = augment_image(address_image(), ImageAugmentation((90, 160), (0, 0), False, 90.0),
                              (90, 160))
    # The centre is (79.5, 44.5); 10 pixels to its right go 10 pixels up, to a smaller v.
    np.testing.assert_allclose((matrix @ [89.5, 44.5, 0, 1])[:2], [79.5, 34.5], atol=1e-9)


def loaded(num_images: int = 2, reduce: int = 1) -> dict:
    image = address_image(HEIGHT // reduce, WIDTH // reduce)
    matrix = resize_matrix(1 / reduce, 1 / reduce)
    return {'img': [image] * num_images, 'img_aug_matrix': np.stack([matrix] * num_images),
            'ori_shapes': [(HEIGHT, WIDTH)] * num_images}


def test_training_draws_each_image_anew_and_never_contradicts_its_matrix():
    np.random.seed(3)
    augment = GeminiAugmentImages(final_hw=(40, 64), resize_range=(0.5, 0.9), flip=True,
                                  crop_bottom_range=(0.0, 0.1), rotate_range_deg=(-6, 6),
                                  training=True)
    results = loaded(num_images=12)
    augmented = augment.transform(results)
    matrices = augmented['img_aug_matrix']
    assert len({matrix.tobytes() for matrix in matrices}) == 12
    assert 0 < (np.linalg.det(matrices) < 0).sum() < 12
    for image, matrix in zip(augmented['img'], matrices):
        assert_pixels_come_from_where_the_matrix_says(image, matrix, 0.5)
    assert augmented['img_shape'] == (40, 64)
    np.testing.assert_array_equal(results['img'][0], address_image())


def test_testing_takes_the_middle_of_every_range():
    augment = GeminiAugmentImages(final_hw=(40, 64), resize_range=(0.5, 0.7), flip=True,
                                  rotate_range_deg=(-6, 6))
    matrices = augment.transform(loaded())['img_aug_matrix']
    # 0.6 * (90, 160) = (54, 96): 16 pixels off left and right, 14 off the top.
    expected = [[0.6, 0, 0, -0.2 - 16], [0, 0.6, 0, -0.2 - 14], [0, 0, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(matrices, [expected, expected], atol=1e-5)


def test_an_image_decoded_small_ends_at_the_same_place():
    augment = GeminiAugmentImages(final_hw=(20, 32), resize_range=(0.25, 0.25))
    full, small = augment.transform(loaded()), augment.transform(loaded(reduce=2))
    # 90 rows do not divide by 4: the last half row is cut off by rounding, in both alike.
    np.testing.assert_allclose(full['img_aug_matrix'], small['img_aug_matrix'], atol=2e-2)


@pytest.mark.parametrize('resize_range', [(0.0, 0.5), (0.6, 0.5)])
def test_an_impossible_resize_range_is_refused(resize_range):
    with pytest.raises(ValueError, match='expected 0 < low <= high'):
        GeminiAugmentImages(final_hw=(4, 4), resize_range=resize_range)


def test_a_pixel_is_found_where_the_matrix_sends_it():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (4, 6, 3), dtype=np.uint8) for _ in range(2)]
    shifted = np.eye(4, dtype=np.float32)
    shifted[0, 3] = -1  # raw column 3 is loaded column 2
    given = {'img': images, 'img_aug_matrix': np.stack([shifted, np.eye(4, dtype=np.float32)])}
    mirrored = GeminiFlipImages(flip=True).transform(given)
    for raw_u, camera, loaded_u in ((3, 0, 2), (2, 1, 2)):
        u, v, _, _ = mirrored['img_aug_matrix'][camera] @ (raw_u, 1, 0, 1)
        np.testing.assert_array_equal(mirrored['img'][camera][int(v), int(u)], images[camera][1, loaded_u])
    assert given['img_aug_matrix'][0, 0, 0] == 1 and mirrored['img_aug_matrix'].dtype == np.float32


def test_without_flip_or_images_nothing_changes():
    given = {'img': [np.zeros((2, 2, 3))], 'img_aug_matrix': np.eye(4)[None]}
    assert GeminiFlipImages(flip=False).transform(given) is given
    assert GeminiFlipImages(flip=True).transform({'points': 1}) == {'points': 1}


def test_pillow_gives_pillows_bytes():
    image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    made, matrix = augment_image(image, ImageAugmentation((43, 77), (5, 3), False, 0.0), (40, 60), 'pillow')
    whole = np.asarray(Image.fromarray(image).resize((77, 43)))
    np.testing.assert_array_equal(made[:, :60], whole[3:43, 5:65])
    averaged, same_matrix = augment_image(image, ImageAugmentation((43, 77), (5, 3), False, 0.0), (40, 60))
    assert (averaged != made).any()
    np.testing.assert_array_equal(matrix, same_matrix)


def test_another_way_to_resample_is_named():
    with pytest.raises(ValueError, match="resample='lanczos'; expected one of area, pillow"):
        GeminiAugmentImages(final_hw=(40, 60), resize_range=(0.5, 0.5), resample='lanczos')
