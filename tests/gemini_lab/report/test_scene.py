"""The frame of the report: boxes in the LiDAR's frame, samples by scene and time."""
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from gemini_lab.report.dataset import predicted_boxes, read_sample, truth_boxes
from gemini_lab.report.drawing import box_rows, scenes_page


@pytest.fixture
def sample(tiny_nusc, metrics_dir):
    """The first sample with the first model's boxes."""
    token = 'scene-0103-a'
    results = json.loads((metrics_dir / 'results_nusc.json').read_text())['results']
    return read_sample(tiny_nusc, token, truth=truth_boxes(tiny_nusc, [token])[token],
                       predictions=predicted_boxes(tiny_nusc, results, [token])[token])


def test_boxes_stand_in_the_frame_of_the_lidar(sample):
    # The ego stands in the global origin. Its LiDAR is 1 m up and turned to the left: ahead is to its right.
    ego_from_lidar = np.array([[0., -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    rows = box_rows(sample.predictions, replace(sample, ego_from_lidar=ego_from_lidar))
    np.testing.assert_allclose(rows[0], [0, -10.1, -1, 4, 2, 2, -np.pi / 2, 0, 0.9], atol=1e-9)
    assert box_rows((), sample).shape == (0, 9)


def test_four_samples_at_most_with_boxes_cameras_and_truth(sample):
    page = scenes_page([sample] * 6, 0.3, 'title')
    content = json.loads(re.search('id="data">(.*?)</script>', page, re.DOTALL)[1])
    assert len(content['scenes']) == 4 and content['score'] == 0.3
    scene = content['scenes'][0]
    assert scene['token'] == 'scene-0103 at 0.0 s' and len(scene['cameras']) == 6
    assert (len(scene['boxes']), len(scene['truth'])) == (3, 2)
    # CAM_FRONT looks along x; 160 x 90 pixels with focal length 100: 2 m to each side at a depth of 2.5 m.
    assert [2.5, 2.0] in [corner[:2] for camera in scene['cameras'] for corner in camera]
