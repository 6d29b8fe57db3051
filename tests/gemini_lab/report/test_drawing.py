"""Boxes over pictures: what is seen where, how it is marked, what starts hidden; missing files are named."""
import dataclasses
import io
import re

import numpy as np
import pytest
from nuscenes.eval.detection.data_classes import DetectionBox
from PIL import Image

from gemini_lab.report.dataset import read_sample, truth_boxes
from gemini_lab.report.drawing import (SHEET_RGB, TALL_RGB, BevCanvas, bev_shape, bev_view, camera_shape,
                                       camera_views, load_picture, load_points, mark_of, points_picture)
from gemini_lab.report.verdicts import Verdicts, box_key
from geminifusion3d.errors import UserError

CANVAS = BevCanvas(range_m=50.0, px_per_m=10.0)
TOKEN = 'scene-0103-a'
SHAPE = dict(lines='', face='')


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
    shape = camera_shape(sample.truth[0], camera_of(sample, 'CAM_FRONT'), 160, 90)
    numbers = [tuple(map(int, pair)) for pair in re.findall(r'(\d+) (\d+)', shape['lines'])]
    # 67.5 and 92.5 round to the even neighbour.
    assert (min(u for u, _ in numbers), max(u for u, _ in numbers)) == (68, 92)
    assert set(shape['face'].split()) == {'72,37', '88,37', '72,53', '88,53'}
    assert shape['label'] == 'car'


def test_a_pedestrian_behind_is_seen_by_the_back_camera_only(sample):
    pedestrian = next(box for box in sample.truth if box.detection_name == 'pedestrian')
    seen = [camera.channel for camera in sample.cameras if camera_shape(pedestrian, camera, 160, 90)]
    assert seen == ['CAM_BACK']


def test_predictions_below_the_score_start_hidden_and_tell_what_they_are(sample):
    car = sample.predictions[0]
    assert mark_of(car, 'pred', sample, 0.3, SHAPE).style == 'pred low'
    mark = mark_of(car, 'pred', sample, 0.25, SHAPE)
    # The speed of (3, 4) m/s is 5 m/s.
    assert (mark.style, mark.title, mark.score) == ('pred', 'prediction: car 0.25, 20 m away, 5.0 m/s', 0.25)
    assert mark_of(sample.truth[0], 'truth', sample, 0.3, SHAPE).title == 'truth: car, 10 m away'
    assert mark_of(car, 'other', sample, 0, SHAPE).title.startswith('other model: car 0.25')


def test_an_object_is_missed_above_the_score_of_its_prediction(sample):
    car = sample.truth[0]

    def mark(score_of_find, min_score):
        verdicts = Verdicts(score_of_find=score_of_find, finders=frozenset())
        return mark_of(car, 'truth', dataclasses.replace(sample, verdicts=verdicts), min_score, SHAPE)

    found = mark({box_key(car): 0.4}, 0.4)
    assert (found.style, found.found) == ('truth', 0.4) and found.title.endswith('found with 0.40')
    assert mark({box_key(car): 0.4}, 0.41).style == 'truth missed'
    never = mark({}, 0.0)
    assert (never.style, never.found) == ('truth missed', -1) and never.title.endswith('never found')


def test_a_prediction_that_found_nothing_is_marked(sample):
    car = sample.predictions[0]
    verdicts = Verdicts(score_of_find={}, finders=frozenset())
    mark = mark_of(car, 'pred', dataclasses.replace(sample, verdicts=verdicts), 0.2, SHAPE)
    assert mark.style == 'pred false' and mark.title.endswith('found nothing')


def test_predictions_lie_on_top(sample):
    front = camera_views(sample, 0.2)[1]
    assert [mark.style for mark in front.marks] == ['truth', 'pred']


def test_the_six_pictures_stand_like_the_cameras_on_the_car(sample):
    names = [view.name for view in camera_views(sample, 0.5)]
    assert names == ['front left', 'front', 'front right', 'back left', 'back', 'back right']
    absent = camera_views(dataclasses.replace(sample, cameras=sample.cameras[1:]), 0.5)[0]
    assert (absent.name, absent.picture) == ('no CAM_FRONT_LEFT', '')


def test_a_missing_image_is_named(sample, tmp_path):
    camera = dataclasses.replace(sample.cameras[0], image_path=tmp_path / 'gone.jpg')
    with pytest.raises(UserError, match='gone.jpg'):
        load_picture(camera)


def test_a_resized_picture_is_drawn_at_the_size_of_its_intrinsics(sample, tmp_path):
    camera = dataclasses.replace(sample.cameras[0], image_path=tmp_path / 'half.png')
    Image.new('RGB', (80, 45), (10, 20, 30)).save(camera.image_path)
    data, *size = load_picture(camera)
    # Boxes are projected with intrinsics for 160 x 90 pixels.
    assert size == [160, 90]
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (720, 405)
        # Red stays red: what OpenCV decodes is blue first.
        assert np.abs(np.array(picture)[200, 300].astype(int) - (10, 20, 30)).max() <= 3


def test_a_cropped_picture_is_refused(sample, tmp_path):
    camera = dataclasses.replace(sample.cameras[0], image_path=tmp_path / 'cropped.png')
    Image.new('RGB', (160, 60)).save(camera.image_path)
    with pytest.raises(UserError, match='cropped.png is 160x60, in the tables it is 160x90'):
        load_picture(camera)


def test_a_cut_off_picture_is_named(sample, tmp_path):
    camera = dataclasses.replace(sample.cameras[0], image_path=tmp_path / 'cut.jpg')
    camera.image_path.write_bytes(sample.cameras[0].image_path.read_bytes()[:-200])
    with pytest.raises(UserError, match='cut.jpg is truncated'):
        load_picture(camera)


@pytest.mark.parametrize('channel', ['LIDAR_TOP', 'CAM_BACK'])
def test_a_file_name_that_leaves_the_dataset_is_refused(tiny_nusc, monkeypatch, channel):
    record = tiny_nusc.get('sample_data', tiny_nusc.get('sample', TOKEN)['data'][channel])
    monkeypatch.setitem(record, 'filename', '../elsewhere.bin')
    with pytest.raises(UserError, match='inside the data root'):
        read_sample(tiny_nusc, TOKEN, truth=[], predictions=[])


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


def test_a_car_ahead_is_drawn_where_it_stands_and_heads(sample):
    # The car's centre is 10 m ahead, its length 4 m and width 2 m: u 490..510, v 380..420.
    shape = bev_shape(sample.truth[0], sample, CANVAS)
    assert set(shape['face'].split()) == {'490.0,380.0', '510.0,380.0', '490.0,420.0', '510.0,420.0'}
    assert shape['lines'] == 'M500.0 400.0L500.0 380.0'


def test_a_moving_box_points_one_second_ahead(sample):
    # 5 m/s to the left (global y) from the front centre (500, 380): 50 px to the left.
    sample.truth[0].velocity = (0.0, 5.0)
    assert 'M500.0 380.0L450.0 380.0' in bev_shape(sample.truth[0], sample, CANVAS)['lines']


def test_boxes_outside_the_sheet_are_left_out(sample):
    sample.truth[0].translation = (70.0, 0.0, 0.0)
    assert bev_shape(sample.truth[0], sample, CANVAS) is None


def test_the_view_from_above_holds_every_box_and_circles_each_10_m(sample):
    view = bev_view(sample, 0.5)
    assert [mark.style for mark in view.marks] == ['truth', 'truth', 'pred low']
    assert [radius_m for radius_m, _ in CANVAS.circles] == [10, 20, 30, 40, 50]
    # 3.08 m ahead of the rear axle: the nose.
    assert '500.0,469.2' in CANVAS.ego_outline.split()


def test_a_cut_off_lidar_file_is_named(sample, tmp_path):
    broken = tmp_path / 'broken.pcd.bin'
    np.zeros(7, dtype='<f4').tofile(broken)
    with pytest.raises(UserError, match='7 numbers; expected a multiple of 5'):
        load_points(dataclasses.replace(sample, lidar_path=broken))


def test_a_missing_lidar_file_is_named(sample, tmp_path):
    with pytest.raises(UserError, match='gone.pcd.bin'):
        load_points(dataclasses.replace(sample, lidar_path=tmp_path / 'gone.pcd.bin'))
