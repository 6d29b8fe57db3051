"""The synthetic world through conversion and pipeline: points lie in the boxes that count them."""
from pathlib import Path

import numpy as np
import pytest
from box_points import points_in_box
from mmengine.registry import init_default_scope

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes
from geminifusion3d.sensors import GeminiNuScenesDataset

LOAD = [dict(type='GeminiLoadImages'), dict(type='GeminiLoadPoints', sweeps_num=0),
        dict(type='LoadAnnotations3D', with_bbox_3d=True, with_label_3d=True)]


@pytest.fixture(scope='module')
def dataset(synthetic_root: Path, tmp_path_factory: pytest.TempPathFactory
            ) -> GeminiNuScenesDataset:
    """The converted synthetic mini_val."""
    info_file = convert_nuscenes(synthetic_root, 'v1.0-mini',
                                 tmp_path_factory.mktemp('infos'))['mini_val']
    init_default_scope('mmdet3d')
    return GeminiNuScenesDataset(data_root=str(synthetic_root), ann_file=str(info_file),
                                 pipeline=LOAD, filter_empty_gt=False)


def test_boxes_hold_the_points_that_their_annotations_count(dataset):
    for index in range(len(dataset)):
        results = dataset[index]
        points_m = results['points'].tensor[:, :3].numpy()
        counted = [len(points_in_box(points_m, box)) for box in results['gt_bboxes_3d'].numpy()]
        stated = [one['num_lidar_pts'] for one in results['instances']
                  if one['bbox_label'] >= 0 and one['bbox_3d_isvalid']]
        assert len(stated) >= 5
        # Range noise and a box's tilt move few points across its border.
        assert sum(counted) == pytest.approx(sum(stated), rel=0.1)
        assert np.corrcoef(counted, stated)[0, 1] > 0.99


def test_there_are_sweeps_before_every_keyframe_but_a_scenes_first(dataset):
    counts = [len(dataset.get_data_info(index)['lidar_sweeps']) for index in range(len(dataset))]
    assert counts[0] == 0 and min(counts[1:]) >= 9
