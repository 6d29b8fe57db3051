"""A drawn box lies where its corners project; the cameras stand as they sit around the car."""
from pathlib import Path

import numpy as np
import pytest
from nuscenes import NuScenes
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.report.drawing import (CAMERA_WH_PX, PREDICTION_BGR, SHEET, TRUTH_BGR, picture_of,
                                       read_file_sample)
from geminifusion3d.errors import UserError
from geminifusion3d.picture_files import write_picture


@pytest.fixture(scope='module')
def tables(tmp_path_factory: pytest.TempPathFactory) -> NuScenes:
    """A dataset whose pictures are one grey."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('draw') / 'nuscenes')
    return NuScenes(version='v1.0-mini', dataroot=str(root), verbose=False)


def records(tables: NuScenes, token: str, ahead_m: float) -> list:
    """A pedestrian that far ahead of the car, as large as a post."""
    lidar = tables.get('sample_data', tables.get('sample', token)['data']['LIDAR_TOP'])
    pose = tables.get('ego_pose', lidar['ego_pose_token'])
    w, x, y, z = pose['rotation']
    yaw = np.arctan2(2 * (x * y + w * z), 1 - 2 * (y * y + z * z))
    center = np.array(pose['translation']) + [ahead_m * np.cos(yaw), ahead_m * np.sin(yaw), 1.0]
    return [{'sample_token': token, 'translation': center.tolist(), 'size': [1.0, 1.0, 2.0],
             'rotation': [1.0, 0.0, 0.0, 0.0], 'velocity': [0.0, 0.0], 'detection_name': 'pedestrian',
             'detection_score': score, 'attribute_name': 'pedestrian.standing'} for score in (0.6, 0.1)]


def near_colour(picture: np.ndarray, bgr: tuple) -> np.ndarray:
    """Rows and columns of the pixels in a colour, lines being a little mixed with the ground."""
    return np.argwhere(np.abs(picture.astype(int) - bgr).max(axis=2) < 40)


def test_a_box_ahead_is_in_the_front_camera_and_above_the_middle_of_the_sheet(tables):
    token = tables.sample[0]['token']
    picture = picture_of(read_file_sample(
        tables, {token: records(tables, token, 15.0)}, token, min_score=0.2))
    width, height = CAMERA_WH_PX
    assert picture.shape == (2 * height, 3 * width + SHEET.size_px, 3) and SHEET.size_px == 2 * height
    # Below the legend.
    sheet = near_colour(picture[:, 3 * width:], PREDICTION_BGR)
    sheet = sheet[sheet[:, 0] > 40]
    # Footprint 1 m x 1 m, 15 m ahead: up from the middle by 15 m, at most 0.8 m off.
    expected = np.array([SHEET.size_px / 2 - 15 * SHEET.px_per_m, SHEET.size_px / 2])
    assert len(sheet) and np.abs(sheet - expected).max() < 0.9 * SHEET.px_per_m + 1.5
    in_cameras = near_colour(picture[:, :3 * width], PREDICTION_BGR)
    # In the middle column of the top row: CAM_FRONT.
    assert len(in_cameras) > 40
    assert (in_cameras[:, 0] < height).all() and (in_cameras[:, 1] // width == 1).all()
    assert len(near_colour(picture, TRUTH_BGR))


def test_predictions_below_the_score_are_not_drawn(tables):
    token = tables.sample[0]['token']
    results = {token: records(tables, token, 15.0)}
    assert read_file_sample(tables, results, token, min_score=0.7).predictions == ()


def test_mistakes_are_named(tables):
    token = tables.sample[0]['token']
    with pytest.raises(UserError, match='the predictions hold no sample nowhere; without --sample'):
        read_file_sample(tables, {token: []}, 'nowhere', min_score=0)
    with pytest.raises(UserError, match='v1.0-mini has no sample elsewhere'):
        read_file_sample(tables, {'elsewhere': []}, 'elsewhere', min_score=0)
    with pytest.raises(UserError, match='ends in .png or .jpg'):
        write_picture(Path('picture.gif'), np.zeros((2, 2, 3), np.uint8))
