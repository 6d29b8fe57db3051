"""A mirrored image and its matrix say the same about every pixel."""
import numpy as np

from geminifusion3d.sensors.augment_images import GeminiFlipImages


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
