"""The view from above: metres to pixels, points, boxes, errors."""
import dataclasses
import io
import re

import numpy as np
import pytest
from PIL import Image

from geminifusion3d.errors import UserError
from gemini_lab.report.bev_view import (SHEET_RGB, TALL_RGB, BevCanvas, bev_figure, footprint, load_points, points_picture)
from gemini_lab.report.boxes import truth_boxes
from gemini_lab.report.samples import read_sample

CANVAS = BevCanvas(range_m=50.0, px_per_m=10.0)
TOKEN = 'scene-0103-a'


@pytest.fixture()
def sample(tiny_nusc):
    return read_sample(tiny_nusc, TOKEN, truth=truth_boxes(tiny_nusc, [TOKEN])[TOKEN],
                       predictions=[])


@pytest.mark.parametrize('point_ego, pixel', [
    ((0, 0), (500, 500)),       # the ego is the middle
    ((10, 0), (500, 400)),      # 10 m ahead is 100 px up
    ((0, 10), (400, 500)),      # 10 m to the left is 100 px to the left
    ((-50, -50), (1000, 1000)),  # behind on the right is the lower right corner
])
def test_ego_metres_map_to_pixels_with_forward_up_and_left_left(point_ego, pixel):
    assert CANVAS.pixels(np.array(point_ego)).tolist() == list(pixel)


def test_the_highest_point_of_a_pixel_is_seen():
    points = np.array([[10.0, 0, 5.0], [10.0, 0, 0.0]])
    picture = Image.open(io.BytesIO(points_picture(points, CANVAS))).convert('RGB')
    assert picture.size == (1000, 1000)
    assert picture.getpixel((500, 400)) == TALL_RGB
    assert picture.getpixel((501, 401)) == TALL_RGB
    assert picture.getpixel((502, 400)) == SHEET_RGB


def test_points_outside_the_sheet_are_left_out():
    picture = Image.open(io.BytesIO(points_picture(np.array([[60.0, 0, 1.0]]), CANVAS)))
    assert picture.convert('RGB').getcolors() == [(1000 * 1000, SHEET_RGB)]


def test_a_car_ahead_is_drawn_where_it_stands(sample):
    # The car's centre is 10 m ahead, its length 4 m and width 2 m: u 490..510, v 380..420.
    car = next(box for box in sample.truth if box.detection_name == 'car')
    corners = re.search(r'points="([^"]+)"', footprint(car, sample, CANVAS, 0.5)).group(1)
    assert set(corners.split()) == {'490.0,380.0', '510.0,380.0', '490.0,420.0', '510.0,420.0'}


def test_the_heading_line_runs_from_the_centre_to_the_front(sample):
    car = next(box for box in sample.truth if box.detection_name == 'car')
    assert 'd="M500.0 400.0L500.0 380.0"' in footprint(car, sample, CANVAS, 0.5)


def test_a_moving_box_points_one_second_ahead(sample):
    # 5 m/s to the left (global y) from the front centre (500, 380): 50 px to the left.
    car = next(box for box in sample.truth if box.detection_name == 'car')
    car.velocity = (0.0, 5.0)
    assert 'M500.0 380.0L450.0 380.0' in footprint(car, sample, CANVAS, 0.5)


def test_boxes_outside_the_sheet_are_left_out(sample):
    car = next(box for box in sample.truth if box.detection_name == 'car')
    car.translation = (70.0, 0.0, 0.0)
    assert footprint(car, sample, CANVAS, 0.5) is None


def test_the_figure_shows_circles_and_the_ego(sample):
    figure = bev_figure(sample, 0.5)
    assert figure.count('<circle') == 5
    assert 'class="ego"' in figure
    assert figure.count('<g class="truth">') == 2


def test_a_cut_off_lidar_file_is_named(sample, tmp_path):
    broken = tmp_path / 'broken.pcd.bin'
    np.zeros(7, dtype='<f4').tofile(broken)
    with pytest.raises(UserError, match='7 numbers, expected a multiple of 5'):
        load_points(dataclasses.replace(sample, lidar_path=broken))


def test_a_missing_lidar_file_is_named(sample, tmp_path):
    with pytest.raises(UserError, match='gone.pcd.bin'):
        load_points(dataclasses.replace(sample, lidar_path=tmp_path / 'gone.pcd.bin'))
