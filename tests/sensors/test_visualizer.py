"""mmdet3d's visualization hook and its browse_dataset draw what this project's datasets deliver."""
import runpy
from pathlib import Path
from types import SimpleNamespace

import cv2
import mmdet3d
import numpy as np
import pytest
import torch
from mmdet3d.engine.hooks import Det3DVisualizationHook
from mmdet3d.registry import DATASETS, VISUALIZERS
from mmdet3d.structures import Det3DDataSample, LiDARInstance3DBoxes
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmengine.visualization import Visualizer

from geminifusion3d.commands.main import parse
from geminifusion3d.commands.train_and_test import draw_tests

REPO = Path(__file__).resolve().parents[2]
DEMO = REPO / 'configs/demo/geminifusion3d_tiny_lidar-cam_synthetic-mini.py'
BROWSE = Path(mmdet3d.__file__).parent / '.mim/tools/misc/browse_dataset.py'
RED = (255, 0, 0)
# It looks along x of the LiDAR, its right is -y; 100 px from the middle are 45 degrees.
CAM2IMG = [[100.0, 0, 100], [0, 100, 50], [0, 0, 1]]
LIDAR2CAM = [[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]


def make_visualizer():
    """A visualizer without backends, whose one class is red."""
    made = VISUALIZERS.build(dict(type='GeminiVisualizer', name=f'test {np.random.rand()}'))
    made.dataset_meta = dict(classes=('car',), palette=[RED])
    return made


def sample_with_box(**meta):
    """A box of two metres, ten metres ahead and five to the left."""
    sample = Det3DDataSample(metainfo=meta)
    sample.pred_instances_3d = InstanceData(
        bboxes_3d=LiDARInstance3DBoxes(torch.tensor([[10.0, 5, 0, 2, 2, 2, 0]]), origin=(0.5, 0.5, 0.5)),
        labels_3d=torch.tensor([0]), scores_3d=torch.tensor([0.9]))
    return sample


def columns_of_red(path):
    """Returns which columns of a picture are more red than anything else."""
    blue, _, red = cv2.imread(str(path)).astype(int).transpose(2, 0, 1)
    return np.flatnonzero((red - blue > 60).any(axis=0))


def camera(path, **more):
    return dict(img_path=path, cam2img=CAM2IMG, lidar2cam=LIDAR2CAM, **more)


def test_files_and_augmented_pictures_are_drawn_each_by_its_own_matrix(tmp_path):
    # Corners at 9 and 11 m ahead, 4 and 6 m left: columns 100 - 100 * 6 / 9 = 33 to 100 - 100 * 4 / 11 = 64.
    black = np.zeros((100, 200, 3), np.uint8)
    files = sample_with_box(images={'a': camera('a.png'), 'gone': dict(img_path=None),
                                    'half': camera('b.png', height=100, width=200)})
    draw = make_visualizer().add_datasample
    draw('x', {'img': [black, black[::2, ::2]]}, files, out_file=str(tmp_path / 'files.png'))
    columns = columns_of_red(tmp_path / 'files.png')
    left, right = columns[columns < 150], columns[columns >= 150] - 200
    assert abs(left[0] - 33) <= 4 and abs(left[-1] - 64) <= 4
    assert abs(right[0] - 16) <= 4 and abs(right[-1] - 32) <= 4
    mirror = np.array([[-1, 0, 0, 199], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    augmented = sample_with_box(
        cam2img=np.tile(np.pad(CAM2IMG, (0, 1)) + np.diag([0, 0, 0, 1]), (2, 1, 1)),
        lidar2cam=np.tile(LIDAR2CAM, (2, 1, 1)), img_aug_matrix=np.stack([np.eye(4), mirror]),
        lidar_aug_matrix=np.eye(4), camera_present=[False, True])
    draw('x', {'img': torch.zeros(2, 3, 100, 200, dtype=torch.uint8)}, augmented,
         out_file=str(tmp_path / 'augmented.png'))
    columns = columns_of_red(tmp_path / 'augmented.png')
    assert abs(columns[0] - (199 - 64)) <= 4 and abs(columns[-1] - (199 - 33)) <= 4


def test_a_picture_without_boxes_is_written_and_points_need_no_window(tmp_path):
    sample = sample_with_box(images={'a': camera('a.png')})
    sample.pred_instances_3d.scores_3d[:] = 0.1
    data = {'img': [np.full((100, 200, 3), 7, np.uint8)], 'points': np.array([[10.0, 5, 0, 1]])}
    draw = make_visualizer().add_datasample
    draw('x', data, sample, vis_task='multi-modality_det', out_file=str(tmp_path / 'a.png'),
         o3d_save_path=str(tmp_path / 'b.png'))
    assert (cv2.imread(str(tmp_path / 'a.png'))[:, :200] == 7).all()
    view = cv2.imread(str(tmp_path / 'b.png'))
    # 900 px for 110 m: the point stands at column (10 + 55) * 900 / 110 and row (55 - 5) * 900 / 110.
    assert view[409, 532].any() and len(np.argwhere(view.any(axis=2))) == 1
    draw('x', data, sample, vis_task='lidar_det', pred_score_thr=0.0, o3d_save_path=str(tmp_path / 'c.png'))
    assert len(columns_of_red(tmp_path / 'c.png')) >= 15


@pytest.mark.parametrize('task', ['multi-modality_det', 'lidar_det'])
def test_the_hook_writes_pictures_of_a_test(converted_root, tmp_path, monkeypatch, task):
    init_default_scope('mmdet3d')
    cfg = Config.fromfile(DEMO)
    dataset = DATASETS.build({**cfg.test_dataloader.dataset, 'data_root': str(converted_root)})
    sample = dataset[0]['data_samples']
    truth = dataset.parse_ann_info(dataset.records[0])
    sample.pred_instances_3d = InstanceData(
        bboxes_3d=truth['gt_bboxes_3d'], labels_3d=torch.from_numpy(truth['gt_labels_3d']),
        scores_3d=torch.ones(len(truth['gt_labels_3d'])))
    visualizer = make_visualizer()
    visualizer.dataset_meta = dataset.metainfo
    monkeypatch.setattr(Visualizer, 'get_current_instance', lambda: visualizer)
    hook = Det3DVisualizationHook(draw=True, vis_task=task, test_out_dir=str(tmp_path / 'seen'))
    hook.after_test_iter(SimpleNamespace(work_dir='/', timestamp='now'), 0, {}, [sample])
    shapes = {path.suffix: cv2.imread(str(path)).shape for path in (tmp_path / 'seen').iterdir()}
    assert shapes == {'.png': (900, 900, 3), **({} if task == 'lidar_det' else {'.jpg': (1800, 4800, 3)})}


@pytest.mark.parametrize('task', ['multi-modality_det', 'multi-view_det', 'lidar_det'])
def test_browse_dataset_of_mmdet3d(converted_root, tmp_path, monkeypatch, task):
    monkeypatch.setattr('sys.argv', [
        str(BROWSE), str(DEMO), '--output-dir', str(tmp_path / 'seen'), '--not-show', '--task', task,
        '--cfg-options', f'train_dataloader.dataset.data_root={converted_root}',
        'train_dataloader.dataset.indices=1'])
    runpy.run_path(str(BROWSE), run_name='__main__')
    picture, = (tmp_path / 'seen').iterdir()
    expected = (900, 900, 3) if task == 'lidar_det' else (256, 1056, 3)
    assert picture.name == '0.jpg' and cv2.imread(str(picture)).shape == expected


@pytest.mark.parametrize('removed, task', [
    ((), 'multi-modality_det'), (('camera_branch', 'camera_align', 'fuser'), 'lidar_det'),
    (('lidar_branch', 'lidar_align', 'fuser'), 'multi-view_det')])
def test_show_dir_of_the_command_draws_what_the_recipe_sees(removed, task):
    arguments = parse('test', 'a.py', 'b.pth', '--show-dir', 'seen', '--score-thr', '0.2')
    cfg = Config.fromfile(DEMO)
    cfg.model.update(dict.fromkeys(removed))
    draw_tests(cfg, arguments.show_dir, arguments.score_thr)
    hook = cfg.default_hooks.visualization
    assert (hook.vis_task, hook.draw, hook.score_thr) == (task, True, 0.2)
    assert hook.test_out_dir == str(Path.cwd() / 'seen')
