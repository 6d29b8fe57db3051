"""CameraRig: a landmark seen by a camera is lifted back to where it stands, under augmentation."""
from dataclasses import replace

import numpy as np
import pytest
import torch

from geminifusion3d.geometry.camera_rig import CameraRig

# Looks along +y of the LiDAR frame: camera x is LiDAR x, camera y is down, camera z is LiDAR y.
CAM_FROM_LIDAR = np.array([[1.0, 0, 0, 0.1], [0, 0, -1, 0.2], [0, 1, 0, -0.3], [0, 0, 0, 1]])
IMG_FROM_CAM = np.array([[100.0, 0, 80, 0], [0, 100, 45, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def meta_of(img_aug=np.eye(4), lidar_aug=np.eye(4)):
    """Returns the metainfo of one camera."""
    return dict(cam2img=IMG_FROM_CAM[None], lidar2cam=CAM_FROM_LIDAR[None],
                img_aug_matrix=img_aug[None], lidar_aug_matrix=lidar_aug)


def lift(meta, pixel, depth_m):
    """Returns where the rig places a pixel at a depth."""
    rig = CameraRig.from_metas([meta], device=torch.device('cpu'))
    points = rig.points_at(torch.tensor([pixel], dtype=torch.float32), torch.tensor([depth_m]))
    assert points.shape == (1, 1, 1, 1, 3)
    return points.flatten().numpy()


def test_the_principal_point_looks_straight_ahead():
    # Camera (0, 0, 10) = LiDAR (x, y, z) with x + 0.1 = 0, -z + 0.2 = 0, y - 0.3 = 10.
    assert lift(meta_of(), (80.0, 45.0), 10.0) == pytest.approx([-0.1, 10.3, 0.2], abs=1e-5)


def test_a_landmark_is_found_again_under_image_and_scene_augmentation():
    rng = np.random.default_rng(3)
    for _ in range(20):
        landmark = np.append(rng.uniform([-5, 5, -2], [5, 40, 2]), 1.0)
        in_camera = CAM_FROM_LIDAR @ landmark
        u, v = (IMG_FROM_CAM[:2, :3] @ in_camera[:3]) / in_camera[2]
        img_aug, lidar_aug = np.eye(4), np.eye(4)
        img_aug[:2, :2] = rng.normal(size=(2, 2)) + 2 * np.eye(2)
        img_aug[:2, 3] = rng.uniform(-50, 50, 2)
        angle, scale = rng.uniform(-3, 3), rng.uniform(0.8, 1.2)
        lidar_aug[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        lidar_aug[:3, :3] *= scale
        lidar_aug[1] *= -1  # a flip
        lidar_aug[:3, 3] = rng.uniform(-1, 1, 3)
        pixel = img_aug[:2, :2] @ (u, v) + img_aug[:2, 3]
        found = lift(meta_of(img_aug, lidar_aug), pixel, in_camera[2])
        assert found == pytest.approx((lidar_aug @ landmark)[:3], abs=2e-4)


def random_meta(rng):
    """Returns the camera's metainfo under a random image and scene augmentation."""
    img_aug, lidar_aug = np.eye(4), np.eye(4)
    img_aug[:2, :2] = rng.normal(size=(2, 2)) + 2 * np.eye(2)
    img_aug[:2, 3] = rng.uniform(-50, 50, 2)
    angle = rng.uniform(-3, 3)
    lidar_aug[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    lidar_aug[:3, :3] *= rng.uniform(0.8, 1.2)
    lidar_aug[:3, 3] = rng.uniform(-1, 1, 3)
    return meta_of(img_aug, lidar_aug)


def test_projecting_a_lifted_pixel_returns_the_pixel_and_its_depth():
    rng = np.random.default_rng(5)
    metas = [random_meta(rng) for _ in range(10)]
    rig = CameraRig.from_metas(metas, device=torch.device('cpu'))
    pixels = torch.from_numpy(rng.uniform([0, 0], [700, 250], (30, 2))).float()
    depth_m = torch.tensor([1.0, 7.5, 60.0])
    lifted = rig.points_at(pixels, depth_m)
    for sample in range(10):
        found = rig.project(sample, lifted[sample].flatten(0, -2)).view(30, 3, 3)
        torch.testing.assert_close(found[..., :2], pixels.unsqueeze(1).expand(-1, 3, -1), rtol=0, atol=0.02)
        torch.testing.assert_close(found[..., 2], depth_m.expand(30, -1), rtol=1e-5, atol=1e-4)


def test_depth_along_the_axis_is_that_before_the_scene_was_scaled():
    scaled = np.diag([2.0, 2.0, 2.0, 1.0])
    rig = CameraRig.from_metas([meta_of(lidar_aug=scaled)], device=torch.device('cpu'))
    # The point (-0.1, 10.3, 0.2) of the unscaled scene is 10 m ahead of the camera.
    u, v, depth_m = rig.project(0, torch.tensor([[-0.2, 20.6, 0.4]]))[0, 0].tolist()
    assert (u, v, depth_m) == pytest.approx((80.0, 45.0, 10.0), abs=1e-4)


def test_a_missing_matrix_is_named():
    meta = meta_of()
    del meta['img_aug_matrix']
    with pytest.raises(ValueError, match=r"needs metainfo \['img_aug_matrix'\].*meta_keys"):
        CameraRig.from_metas([meta], device=torch.device('cpu'))


def test_a_sample_alone_has_the_matrices_that_it_has_in_its_batch():
    rng = np.random.default_rng(1)
    metas = [random_meta(rng), {**random_meta(rng), 'camera_present': [False]}]
    batch = CameraRig.from_metas(metas, device=torch.device('cpu'))
    for sample, meta in enumerate(metas):
        alone, cut = CameraRig.from_metas([meta], device=torch.device('cpu')), batch.of_sample(sample)
        for name in ('lidar_from_ray', 'ray_from_lidar', 'is_present'):
            assert torch.equal(getattr(alone, name), getattr(cut, name))
        assert alone.fingerprints == cut.fingerprints


def test_fingerprints_differ_as_soon_as_anything_about_the_cameras_does():
    shifted, turned = np.eye(4), np.eye(4)
    shifted[0, 3] = 1e-3
    turned[0, 0] = -1
    metas = [meta_of(), meta_of(img_aug=shifted), meta_of(lidar_aug=turned),
             {**meta_of(), 'camera_present': [False]}, {**meta_of(), 'camera_present': [True]}]
    fingerprints = CameraRig.from_metas(metas, device=torch.device('cpu')).fingerprints
    assert len(set(fingerprints)) == 4 and fingerprints[0] == fingerprints[4]


def test_corner_pixels_are_resized_flipped_and_turned_as_bevfusion_does():
    rng = np.random.default_rng(2)
    for _ in range(5):
        scale, crop_px, angle = rng.uniform(0.3, 0.6), rng.uniform(0, 50, 2), rng.uniform(-0.1, 0.1)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        linear = turn @ np.diag([-scale, scale])
        # BEVFusion's ImageAug3D on (u, v) as they are: resize, crop, flip, turn about the
        # middle of 704 by 256 pixels.
        middle = np.array([704, 256]) / 2
        corner_shift = turn @ (np.diag([-1, 1]) @ -crop_px + [704, 0] - middle) + middle
        # Pixel centres do the same half a pixel further right and down.
        corners, centres = np.eye(4), np.eye(4)
        corners[:2, :2] = centres[:2, :2] = linear
        corners[:2, 3] = corner_shift
        centres[:2, 3] = linear @ [0.5, 0.5] + corner_shift - 0.5
        assert np.abs(corners - centres).max() > 0.2
        as_they_do = CameraRig.from_metas([meta_of(corners)], device=torch.device('cpu'))
        ours = CameraRig.from_metas([meta_of(centres)], device=torch.device('cpu'), corner_pixels=True)
        torch.testing.assert_close(ours.lidar_from_ray, as_they_do.lidar_from_ray)
        torch.testing.assert_close(ours.ray_from_lidar, as_they_do.ray_from_lidar)


def test_steps_are_the_same_chain_with_other_rounding():
    rng = np.random.default_rng(5)
    metas = [random_meta(rng), random_meta(rng)]
    steps = CameraRig.from_metas(metas, device=torch.device('cpu'), corner_pixels=True)
    chain = replace(steps, steps=None)
    pixels, depth_m = torch.tensor([[3.0, 50.0], [200.0, 7.0], [64.0, 90.0]]), torch.tensor([2.0, 30.0])
    lifted = steps.points_at(pixels, depth_m)
    assert torch.allclose(lifted, chain.points_at(pixels, depth_m), atol=1e-4)
    assert (lifted != chain.points_at(pixels, depth_m)).any()
    for sample in range(2):
        points = lifted[sample].reshape(-1, 3)
        assert torch.allclose(steps.project(sample, points), chain.project(sample, points), rtol=1e-3,
                              atol=5e-2)
        alone = steps.of_sample(sample)
        assert torch.equal(alone.project(0, points), steps.project(sample, points))
