"""Boxes to pixels: every expected number is computed by hand in a comment."""
import numpy as np
import pytest
from nuscenes.utils.data_classes import Box
from pyquaternion import Quaternion

from gemini_lab.report.projection import (EDGES, box_corners, box_segments_px, clip_to_image,
                                          clip_to_near_plane, project)

INTRINSIC = np.array([[100.0, 0, 80], [0, 100, 45], [0, 0, 1]])


def test_corners_of_an_upright_box_stand_half_its_size_around_its_centre():
    # l = 4 along x, w = 2 along y, h = 6 along z around (10, 20, 30).
    corners = box_corners((10, 20, 30), (2, 4, 6), (1, 0, 0, 0))
    assert corners[0].tolist() == [12, 21, 33]
    assert corners[6].tolist() == [8, 19, 27]


def test_corners_have_the_order_of_the_devkit():
    rotation = Quaternion(axis=[0.1, 0.2, 1], degrees=37)
    expected = Box([1, 2, 3], [2, 4, 1.5], rotation).corners().T
    assert np.allclose(box_corners((1, 2, 3), (2, 4, 1.5), rotation.elements), expected)


def test_edges_are_the_twelve_whose_ends_differ_in_one_direction():
    corners = box_corners((0, 0, 0), (2, 2, 2), (1, 0, 0, 0))
    assert len(set(map(frozenset, EDGES))) == 12
    assert all((corners[a] != corners[b]).sum() == 1 for a, b in EDGES)


def test_a_point_projects_to_the_pixel_of_the_pinhole():
    # u = 100 * 1 / 10 + 80 = 90, v = 100 * (-0.5) / 10 + 45 = 40.
    assert project(np.array([1, -0.5, 10]), INTRINSIC).tolist() == [90, 40]


def test_a_segment_through_the_near_plane_is_cut_there():
    # z runs from -1 to 3: depth 1 is halfway, where x is 2.
    cut = clip_to_near_plane(np.array([[[0, 0, -1.0], [4, 0, 3]]]), near_m=1.0)
    assert cut.tolist() == [[[2, 0, 1], [4, 0, 3]]]


def test_cutting_keeps_the_direction_of_a_segment():
    cut = clip_to_near_plane(np.array([[[4, 0, 3.0], [0, 0, -1]]]), near_m=1.0)
    assert cut.tolist() == [[[4, 0, 3], [2, 0, 1]]]


def test_segments_behind_the_camera_are_dropped():
    assert clip_to_near_plane(np.array([[[0, 0, -1.0], [4, 0, -3]]])).shape == (0, 2, 3)


@pytest.mark.parametrize('segment, expected', [
    ([[-100, 50], [100, 50]], [[[0, 50], [100, 50]]]),       # enters from the left
    ([[50, -50], [50, 250]], [[[50, 0], [50, 100]]]),        # crosses from top to bottom
    ([[10, 20], [30, 40]], [[[10, 20], [30, 40]]]),          # inside
    ([[-50, 50], [50, 150]], []),                            # touches one corner only
    ([[-10, 10], [-10, 90]], []),                            # parallel to the border, outside
    ([[0, 110], [200, 110]], []),                            # below
])
def test_segments_are_cut_to_the_frame(segment, expected):
    clipped = clip_to_image(np.array([segment], dtype=float), 200, 100)
    assert clipped.tolist() == expected


def test_a_box_in_front_shows_all_edges_at_their_pixels():
    # A cube of 2 m at depth 10: its near face at depth 9 spans 80 +- 100/9 by 45 +- 100/9.
    corners = box_corners((0, 0, 10), (2, 2, 2), (1, 0, 0, 0))
    segments = box_segments_px(corners, INTRINSIC, 160, 90)
    assert len(segments) == 12
    assert segments.reshape(-1, 2).min(axis=0) == pytest.approx([80 - 100 / 9, 45 - 100 / 9])
    assert segments.reshape(-1, 2).max(axis=0) == pytest.approx([80 + 100 / 9, 45 + 100 / 9])


def test_a_box_beside_the_camera_never_leaves_the_frame():
    corners = box_corners((1.5, 0, 0), (2, 8, 2), tuple(Quaternion(axis=[0, 1, 0], degrees=90)))
    segments = box_segments_px(corners, INTRINSIC, 160, 90)
    assert len(segments)
    assert segments.min() >= 0
    assert (segments.reshape(-1, 2).max(axis=0) <= [160, 90]).all()


def test_a_box_behind_the_camera_shows_nothing():
    corners = box_corners((0, 0, -10), (2, 2, 2), (1, 0, 0, 0))
    assert box_segments_px(corners, INTRINSIC, 160, 90).shape == (0, 2, 2)
