"""Points and boxes appear where they were projected."""
import numpy as np
from mmdet3d.structures import LiDARInstance3DBoxes, LiDARPoints

from gemini_lab.sample_picture import draw_radar, draw_radar_from_above, draw_sample
from geminifusion3d.nuscenes_facts import CAMERA_NAMES
from geminifusion3d.sensors.draw import BOX_BGR, FRONT_BGR, draw_bev, project_points, tiled

CAM_FROM_LIDAR = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
IMG_FROM_CAM = np.array([[100.0, 0, 80, 0], [0, 100, 45, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def test_a_point_projects_by_hand():
    # 2 m right, 10 m ahead, 1 m up: (80 + 100 * 2 / 10, 45 - 100 * 1 / 10), halved.
    px, depth_m = project_points(np.array([[2.0, 10, 1], [0, -5, 0]]), cam2img=IMG_FROM_CAM,
                                 lidar2cam=CAM_FROM_LIDAR, lidar_aug_matrix=np.eye(4),
                                 img_aug_matrix=np.diag([0.5, 0.5, 1, 1]))
    np.testing.assert_allclose(px[0], [50, 17.5])
    assert depth_m.tolist() == [10, -5]
    assert np.isnan(px[1]).all()


def sample_with(box: list) -> dict:
    return {
        'img': [np.zeros((90, 160, 3), np.uint8)] * 6, 'cam_names': CAMERA_NAMES,
        'points': LiDARPoints(np.array([[2.0, 10, 1, 0, 0]], np.float32), points_dim=5),
        'gt_bboxes_3d': LiDARInstance3DBoxes(np.array([box], np.float32), box_dim=9),
        'lidar_aug_matrix': np.eye(4), 'lidar2cam': np.tile(CAM_FROM_LIDAR, (6, 1, 1)),
        'cam2img': np.tile(IMG_FROM_CAM, (6, 1, 1)),
        'img_aug_matrix': np.tile(np.eye(4), (6, 1, 1))}


def test_a_sample_is_drawn_at_its_projections_and_the_images_are_left_alone():
    results = sample_with([0.0, 10, -0.5, 1, 1, 1, np.pi / 2, 0, 0])
    picture = draw_sample(results)
    assert picture.shape == (180, 3 * 160 + 180, 3)
    camera = picture[:90, 160:320]
    assert camera[35, 100].any()
    # The box's sides are at u = 80 -+ 100 * 0.5 / 10.5 (far end) and 80 -+ 100 * 0.5 / 9.5.
    assert camera[45, 75].any() and camera[45, 85].any() and not camera[45, 80].any()
    assert not results['img'][0].any()
    # The legend, in the corner of the view from above.
    legend = picture[:60, 480:].astype(int)
    assert all((np.abs(legend - colour).max(axis=2) < 60).any() for colour in (BOX_BGR, FRONT_BGR))


def test_a_box_around_the_camera_is_drawn_without_its_parts_behind():
    picture = draw_sample(sample_with([0.0, 0.5, -0.5, 3, 3, 1, 0, 0, 0]))
    # Its far side, 2 m ahead: v = 45 -+ 100 * 0.5 / 2.
    assert picture[20, 160 + 80].any() and picture[70, 160 + 80].any()
    assert not picture[45, 160 + 80].any()


def test_the_view_from_above_has_x_to_the_right_and_y_up():
    picture = draw_bev(np.array([[5.0, 8.0, 0.0]]), np.zeros((0, 8, 3)), size_px=100, range_m=10)
    rows, columns = picture.any(axis=2).nonzero()
    assert (rows.tolist(), columns.tolist()) == ([10], [75])


def test_cameras_of_any_number_and_size_are_tiled():
    pictures = [np.full((height, width, 3), value, np.uint8) for value, (height, width) in
                enumerate([(4, 6), (2, 3), (4, 6), (3, 6)], start=1)]
    sheet = tiled([pictures[:3], pictures[3:]])
    assert sheet.shape == (8, 18, 3)
    assert [int((sheet == value).all(axis=2).sum()) for value in (1, 2, 3, 4)] == [24, 6, 24, 18]
    assert (sheet[0, 6] == 2).all() and (sheet[4, 0] == 4).all() and not sheet[2:4, 6:12].any()


def test_a_radar_return_is_a_ring_with_a_line_along_its_velocity():
    # 100 pixels a metre at 1 m: 10 m ahead, 1 m right, 2 m/s to the right.
    matrices = dict(lidar_aug_matrix=np.eye(4), img_aug_matrix=np.eye(4),
                    lidar2cam=np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]),
                    cam2img=np.array([[100.0, 0, 50, 0], [0, 100, 20, 0], [0, 0, 1, 0], [0, 0, 0, 1]]))
    picture, nothing = np.zeros((40, 120, 3), np.uint8), np.zeros((40, 120, 3), np.uint8)
    draw_radar(picture, np.array([[1.0, 10, 0, 5, 2, 0, 0]], np.float32), matrices)
    drawn = np.argwhere(picture.any(axis=2))
    # The ring around column 60 begins at 60 - 6, the line ends at column 80; row 20.
    assert abs(drawn[:, 1].min() - 54) <= 2 and abs(drawn[:, 1].max() - 80) <= 2
    assert picture[20, 75].any() and not picture[30, 75].any()
    draw_radar(nothing, np.array([[1.0, -10, 0, 5, 2, 0, 0]], np.float32), matrices)
    assert not nothing.any()


def test_a_radar_return_from_above_is_at_its_place_with_a_line_along_its_velocity():
    # 2 pixels a metre: (10, -5) m is column 2 (10 + 20) = 60, row 2 (20 + 5) = 50; 8 m/s up, 16 pixels.
    picture = np.zeros((80, 80, 3), np.uint8)
    draw_radar_from_above(picture, np.array([[10.0, -5, 0, 5, 0, 8, 0]], np.float32), range_m=20)
    rows, columns = np.nonzero(picture.any(axis=2))
    assert abs(columns.min() - 57) <= 1 and abs(columns.max() - 63) <= 1
    assert abs(rows.max() - 53) <= 1 and abs(rows.min() - 34) <= 1
    assert picture[40, 60].any() and not picture[40, 64].any()
