"""One sample's geometry, read from the tables."""
import numpy as np

from gemini_lab.report.samples import read_sample


def test_the_front_camera_sees_what_is_ahead_along_its_depth(tiny_nusc):
    sample = read_sample(tiny_nusc, 'scene-0103-a', truth=[], predictions=[])
    front = next(camera for camera in sample.cameras if camera.channel == 'CAM_FRONT')
    # 10 m ahead, 2 m left, 1 m up: 2 m left of the axis, 1 m above it, at depth 10.
    ahead_cam = front.cam_from_global @ np.array([10, 2, 1, 1])
    assert np.allclose(ahead_cam, [-2, -1, 10, 1])


def test_the_time_counts_from_the_start_of_the_scene(tiny_nusc):
    sample = read_sample(tiny_nusc, 'scene-0103-b', truth=[], predictions=[])
    assert sample.second_in_scene == 0.5
    assert sample.scene_name == 'scene-0103'
    assert sample.lidar_path.is_file()
