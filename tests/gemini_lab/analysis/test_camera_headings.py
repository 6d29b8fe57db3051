"""Cameras that look elsewhere than calibration or name say are found, others are not."""
from pathlib import Path

import cv2
import numpy as np
import pytest
from real_data import real_data

from gemini_lab.analysis.camera_headings import HeadingFit, border_strengths
from geminifusion3d.inference.sample import nuscenes_samples
from geminifusion3d.point_files import read_point_file
from geminifusion3d.sensors.odd_calibrations import heading_of_name, odd_headings

CAM2IMG = np.array([[200.0, 0, 159.5], [0, 200, 89.5], [0, 0, 1]])
# The camera looks along x of the LiDAR: its right is -y, its down is -z.
LIDAR2CAM = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def turned(lidar2cam: np.ndarray, right_deg: float) -> np.ndarray:
    """The calibration of a camera that looks farther to the right than the real one."""
    sin, cos = np.sin(np.radians(right_deg)), np.cos(np.radians(right_deg))
    return np.array([[cos, 0, -sin, 0], [0, 1, 0, 0], [sin, 0, cos, 0], [0, 0, 0, 1]]) @ lidar2cam


def poles(rng: np.random.Generator) -> tuple:
    """A cloud of thin poles before a wall all around, and the picture that the camera takes of them."""
    azimuth = np.radians(np.arange(0, 360, 0.25))
    range_m = np.full(len(azimuth), 40.0)
    pole_deg = rng.uniform(0, 360, 60)
    for angle, near_m in zip(pole_deg, rng.uniform(5, 20, 60)):
        off = (np.degrees(azimuth) - angle + 180) % 360 - 180
        range_m[np.abs(off) < 1] = near_m
    points = np.concatenate([np.stack([
        range_m * np.cos(azimuth), range_m * np.sin(azimuth), range_m * slope], axis=1)
        for slope in np.linspace(-0.2, 0.1, 16)])
    picture = np.full((180, 320, 3), 200, np.uint8)
    angle = np.degrees(np.arctan((np.arange(320) - CAM2IMG[0, 2]) / CAM2IMG[0, 0]))
    is_pole = (np.abs((-angle[:, None] - pole_deg + 180) % 360 - 180) < 1).any(axis=1)
    picture[:, is_pole] = 50
    return points, picture


@pytest.mark.parametrize('right_deg', [0, 4, -10, 180])
def test_a_turned_camera_is_found_with_its_angle(right_deg: float) -> None:
    points, picture = poles(np.random.default_rng(0))
    fit = HeadingFit()
    fit.add(points, border_strengths(points), picture, CAM2IMG, turned(LIDAR2CAM, right_deg))
    found = fit.turned_deg()
    # What is really seen lies as far to the left of what such a calibration says.
    assert found is None if right_deg == 0 else abs((found + right_deg + 180) % 360 - 180) <= 0.5


def test_pictures_without_anything_say_nothing() -> None:
    points, picture = poles(np.random.default_rng(0))
    fit = HeadingFit()
    assert fit.turned_deg() is None
    fit.add(points, border_strengths(points), np.full_like(picture, 7), CAM2IMG, turned(LIDAR2CAM, 10))
    fit.add(points[:50], border_strengths(points[:50]), picture, CAM2IMG, turned(LIDAR2CAM, 10))
    assert fit.turned_deg() is None


def test_borders_are_near_points_beside_far_ones() -> None:
    azimuth = np.radians([0, 0.5, 1.0, 1.5, 4.0])
    range_m = np.array([20, 11, 11.2, 20, 5])
    points = np.stack([range_m * np.cos(azimuth), range_m * np.sin(azimuth), 0 * range_m], axis=1)
    np.testing.assert_allclose(border_strengths(points), [0, 3, np.sqrt(8.8), 0, 0], atol=1e-6)


def test_the_real_cameras_fit_and_turned_ones_do_not() -> None:
    samples = list(nuscenes_samples(real_data('nuscenes_two_keyframes'), 'v1.0-trainval'))
    found = {0: [], 10: []}
    for name in samples[0].info['images']:
        for right_deg, turns in found.items():
            fit = HeadingFit()
            for sample in samples:
                image = sample.info['images'][name]
                root = Path(sample.root)
                points = read_point_file(str(root / sample.info['lidar_points']['lidar_path']))[:, :3]
                fit.add(points, border_strengths(points), cv2.imread(str(root / image['img_path'])),
                        np.array(image['cam2img']), turned(np.array(image['lidar2cam']), right_deg))
            turns.append(fit.turned_deg())
    assert found[0] == [None] * 6
    told = [turn for turn in found[10] if turn is not None]
    assert len(told) >= 4 and np.allclose(told, -10, atol=0.5)


@pytest.mark.parametrize('name, heading', [
    ('CAM_FRONT', 0), ('CAM_BACK', 180), ('CAM_FRONT_LEFT', 45), ('CAM_BACK_RIGHT', -135), ('left', 90),
    ('ring_rear_right', -135), ('sideRight', -90), ('camera_3', None), ('left_of_front_left_right', None),
    ('backup', None)])
def test_names_say_headings(name: str, heading: 'float | None') -> None:
    assert heading_of_name(name) == heading


NUSCENES = {'CAM_FRONT': 90, 'CAM_FRONT_LEFT': 145, 'CAM_FRONT_RIGHT': 34, 'CAM_BACK': -90,
            'CAM_BACK_LEFT': -161, 'CAM_BACK_RIGHT': -21}


def swapped(first: str, second: str) -> dict:
    return {**NUSCENES, first: NUSCENES[second], second: NUSCENES[first]}


@pytest.mark.parametrize('headings, ahead, odd', [
    (NUSCENES, None, set()), (NUSCENES, 90, set()), (NUSCENES, 0, set(NUSCENES)),
    ({**NUSCENES, 'CAM_BACK': 90}, None, {'CAM_BACK'}), ({**NUSCENES, 'CAM_FRONT': 100}, None, set()),
    (swapped('CAM_FRONT', 'CAM_FRONT_LEFT'), None, {'CAM_FRONT'}),
    (swapped('CAM_BACK_LEFT', 'CAM_BACK_RIGHT'), None, {'CAM_BACK_LEFT', 'CAM_BACK_RIGHT'}),
    ({'left': 0.0, 'right': 0.1}, 0, set()), ({'left': -50, 'right': 55, 'roof': 0}, 0, {'left', 'right'}),
    ({'front': 0, 'left': 0, 'right': 0}, 0, set()), ({}, None, set())])
def test_a_camera_looks_where_its_name_says(headings: dict, ahead: 'float | None', odd: set) -> None:
    assert set(odd_headings(headings, ahead)) == odd
