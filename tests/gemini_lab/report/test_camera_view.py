"""Boxes over camera pictures: what is seen where, what starts hidden, missing files."""
import dataclasses
import re

import pytest
from nuscenes.eval.detection.data_classes import DetectionBox

from geminifusion3d.errors import UserError
from gemini_lab.report.boxes import truth_boxes
from gemini_lab.report.camera_view import box_group, camera_figure, camera_grid
from gemini_lab.report.samples import read_sample

TOKEN = 'scene-0103-a'


@pytest.fixture()
def sample(tiny_nusc):
    car = DetectionBox(sample_token=TOKEN, translation=(20.0, 0.0, 0.0), size=(2.0, 4.0, 2.0),
                       rotation=(1.0, 0.0, 0.0, 0.0), velocity=(3.0, 4.0), detection_name='car',
                       detection_score=0.25, attribute_name='vehicle.moving',
                       ego_translation=(20.0, 0.0, 0.0))
    return read_sample(tiny_nusc, TOKEN, truth=truth_boxes(tiny_nusc, [TOKEN])[TOKEN],
                       predictions=[car])


def camera_of(sample, channel):
    return next(camera for camera in sample.cameras if camera.channel == channel)


def test_a_car_ahead_is_seen_at_its_pixels_by_the_front_camera(sample):
    # Rear face at depth 8, 2 m wide and high: 80 +- 100/8 = 67.5 .. 92.5, 45 +- 12.5.
    # Front face at depth 12: 80 +- 100/12 = 71.67 .. 88.33, 45 +- 8.33: the filled polygon.
    group = box_group(sample.truth[0], camera_of(sample, 'CAM_FRONT'), 160, 90, 0.5)
    edges = re.search(r' d="([^"]+)"', group).group(1)
    numbers = [tuple(map(int, pair)) for pair in re.findall(r'(\d+) (\d+)', edges)]
    # 67.5 and 92.5 round to the even neighbour.
    assert (min(u for u, _ in numbers), max(u for u, _ in numbers)) == (68, 92)
    polygon = re.search(r'points="([^"]+)"', group).group(1)
    assert set(polygon.split()) == {'72,37', '88,37', '72,53', '88,53'}


def test_a_pedestrian_behind_is_seen_by_the_back_camera_only(sample):
    pedestrian = next(box for box in sample.truth if box.detection_name == 'pedestrian')
    seen = [camera.channel for camera in sample.cameras
            if box_group(pedestrian, camera, 160, 90, 0.5)]
    assert seen == ['CAM_BACK']


def test_predictions_below_the_score_start_hidden(sample):
    camera = camera_of(sample, 'CAM_FRONT')
    assert 'class="pred low"' in box_group(sample.predictions[0], camera, 160, 90, 0.3)
    assert 'class="pred"' in box_group(sample.predictions[0], camera, 160, 90, 0.25)


def test_a_box_tells_its_class_score_distance_and_speed(sample):
    # The speed of (3, 4) m/s is 5 m/s.
    group = box_group(sample.predictions[0], camera_of(sample, 'CAM_FRONT'), 160, 90, 0.3)
    assert '<title>prediction: car 0.25, 20 m away, 5.0 m/s</title>' in group


def test_an_unknown_velocity_is_left_out(sample):
    group = box_group(sample.truth[0], camera_of(sample, 'CAM_FRONT'), 160, 90, 0.3)
    assert '<title>truth: car, 10 m away</title>' in group


def test_the_six_pictures_stand_like_the_cameras_on_the_car(sample):
    names = re.findall(r'<span class="tag">([^<]+)</span>', camera_grid(sample, 0.5))
    assert names == ['front left', 'front', 'front right', 'back left', 'back', 'back right']


def test_a_missing_camera_leaves_its_place_empty(sample):
    grid = camera_grid(dataclasses.replace(sample, cameras=sample.cameras[1:]), 0.5)
    assert 'no CAM_FRONT_LEFT' in grid


def test_a_missing_image_is_named(sample, tmp_path):
    camera = dataclasses.replace(sample.cameras[0], image_path=tmp_path / 'gone.jpg')
    with pytest.raises(UserError, match='gone.jpg'):
        camera_figure(camera, sample, 0.5)
