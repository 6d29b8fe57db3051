"""From the synthetic world to a score by the commands, and what its labels must hold."""
import json
from pathlib import Path

import numpy as np
import pytest

from gemini_lab import kitti_frames
from gemini_lab.compare import task_run
from gemini_lab.compare.tasks import TASKS
from gemini_lab.synthetic.kitti import SIZE_WH, Rig, generate_kitti
from geminifusion3d.errors import UserError
from geminifusion3d.kitti.infos import convert_kitti
from geminifusion3d.kitti.labels import read_calibration, read_labels
from geminifusion3d.safe_pickle import load_plain_pickle

NO_WORKERS = [f'{name}_dataloader.{key}' for name in ('train', 'val', 'test')
              for key in ('num_workers=0', 'persistent_workers=False')]


@pytest.fixture(scope='module')
def world(tmp_path_factory):
    """Returns a world of two scenes of two frames."""
    root = tmp_path_factory.mktemp('world') / 'kitti'
    generate_kitti(root, scenes=2, samples_per_scene=2)
    return root


def test_a_label_box_in_space_is_its_box_in_the_picture(world):
    seen = 0
    for path in sorted((world / 'training' / 'label_2').glob('*.txt')):
        img_from_cam = read_calibration(world / 'training' / 'calib' / path.name)['P2']
        for label in read_labels(path):
            if label.name == 'DontCare' or label.truncated > 0:
                continue
            height, width, length = label.size_hwl_m
            x, y, z = np.array(np.meshgrid([-length / 2, length / 2], [-height, 0], [-width / 2, width / 2])
                               ).reshape(3, 8)
            cos, sin = np.cos(label.rotation_y), np.sin(label.rotation_y)
            corners = np.stack([cos * x + sin * z, y, cos * z - sin * x, np.ones(8)]) + np.array(
                [*label.location_cam_m, 0])[:, None]
            u, v, depth = (img_from_cam @ corners)[:3]
            box = [(u / depth).min(), (v / depth).min(), (u / depth).max(), (v / depth).max()]
            # Two digits of metres, an upright box in a camera that pitches by some tenths of a degree.
            assert np.abs(np.array(box) - label.box_px).max() < 6, (path.name, label)
            seen += 1
    assert seen > 5


def test_labelled_objects_hold_points_and_the_split_is_by_scenes(world):
    paths = convert_kitti(world)
    names = {split: [info['sample_idx'] for info in load_plain_pickle(path)['data_list']]
             for split, path in paths.items()}
    assert names == {'train': [0, 1], 'val': [2, 3], 'trainval': [0, 1, 2, 3]}
    objects = [one for info in load_plain_pickle(paths['trainval'])['data_list'] for one in info['instances']
               if one['index'] >= 0]
    assert sum(one['num_lidar_pts'] > 0 for one in objects) >= 0.9 * len(objects) > 5
    assert {
        one['bbox_label'] for one in objects} >= {
        0,
        2} and {
            one['occluded'] for one in objects} <= {
                0, 1, 2}


def test_the_same_seed_writes_the_same_bytes(world, tmp_path):
    generate_kitti(tmp_path / 'again', scenes=2, samples_per_scene=2)
    for name in ('velodyne/000001.bin', 'image_2/000003.png', 'label_2/000002.txt', 'calib/000000.txt'):
        assert (
            tmp_path /
            'again' /
            'training' /
            name).read_bytes() == (
            world / 'training' / name).read_bytes()


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(UserError, match='did not write'):
        generate_kitti(tmp_path)


def test_the_rig_projects_ahead_to_the_middle_of_the_picture():
    u, v = Rig(np.random.default_rng(0)).project(np.array([[0.0, 0, 20]]))[0]
    assert abs(u - SIZE_WH[0] / 2) < 20 and abs(v - SIZE_WH[1] / 2) < 20


@pytest.mark.timeout(600)
def test_the_commands_lead_from_a_world_to_a_score(world, tmp_path, monkeypatch, gemini3d):
    monkeypatch.chdir(tmp_path)
    recipe = Path(kitti_frames.REPO) / 'configs' / 'kitti' / 'geminifusion_mvxnet_tiny_kitti-synthetic.py'
    for words in (['convert-kitti', '--dataroot', world], ['draw-kitti', '--folder', world / 'training'],
                  ['train', recipe, '--work-dir', 'run', '--cfg-options', f'data_root={world}',
                   'max_epochs=1',
                   *NO_WORKERS],
                  ['test', recipe, 'run/epoch_1.pth', '--work-dir', 'scored', '--cfg-options',
                   f'data_root={world}', *NO_WORKERS]):
        done = gemini3d(*map(str, words))
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
    scores = [json.loads(Path(run, 'kitti_metrics.json').read_text()) for run in ('run', 'scored')]
    assert scores[0] == scores[1]
    learned = scores[0]['learned_samples']
    assert learned['scored'] > 0 == learned['learned'] and not learned['unknown']
    assert 0 <= scores[0]['pred_instances_3d/KITTI/Car_3D_AP40_moderate_strict'] <= 100
    assert Path('work_dirs/draw/kitti_000000.png').is_file()


def test_frames_are_overfitted_and_compared(world, tmp_path):
    found = kitti_frames.overfit(world / 'training', tmp_path / 'frames', epochs=1)
    assert len(found) > 3 and all(0 <= one.iou <= 1 and one.distance_m < 60 for one in found)
    with pytest.raises(UserError, match='holds no label file'):
        kitti_frames.overfit(tmp_path, tmp_path / 'none')


def test_a_run_of_the_comparison_trains_scores_and_is_kept(world, tmp_path):
    convert_kitti(world)
    recipe = Path(kitti_frames.REPO) / 'configs' / 'kitti' / 'mvxnet_tiny_kitti-synthetic.py'
    budget = dict(max_epochs=1, data_root=str(world))
    made = task_run.make_training(recipe, 3, tmp_path, budget)
    made.prepare()
    made.finish(task_run.train_and_test(made))
    found = task_run.make_training(recipe, 3, tmp_path, budget).result()
    assert (found['variant'], found['seed'], found['steps'], found['batch_size']) == (recipe.stem, 3, 1, 2)
    assert (found['train_samples'], found['scores']['samples']) == (2, 2)
    assert all(0 <= found['scores'][metric] <= 100 for metric in TASKS['kitti'].columns.values())
    assert task_run.make_training(recipe, 3, tmp_path, dict(budget, max_epochs=2)).result() is None
