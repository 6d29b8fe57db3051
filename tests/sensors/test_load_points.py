"""Sweeps land where the world is, while the car turns; the same points at every read."""
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet3d.datasets.transforms import LoadPointsFromMultiSweeps, PointsRangeFilter
from mmdet3d.structures import DepthPoints, LiDARPoints
from nuscenes.nuscenes import NuScenes
from tiny_nuscenes import NUM_CLOSE, NUM_LANDMARKS, token, write_tiny_nuscenes

from geminifusion3d.data_converters.nuscenes_infos import scene_infos
from geminifusion3d.sensors import GeminiLoadPoints, GeminiPointsRangeFilter, load_points
from geminifusion3d.sensors.load_points import lidar_points, with_tensor


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny dataset whose LiDAR files hold fixed landmarks."""
    return write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])


@pytest.fixture
def results(root: Path) -> dict:
    """The last keyframe, as the dataset hands it on."""
    nusc = NuScenes('v1.0-mini', str(root), verbose=False)
    info = scene_infos(nusc, token('scene-0061'), max_sweeps=10)[-1]
    for entry in (info, *info['lidar_sweeps']):
        entry['lidar_points']['lidar_path'] = str(root / entry['lidar_points']['lidar_path'])
    return info


def test_landmarks_of_all_sweeps_coincide_though_the_car_turns(results):
    points = GeminiLoadPoints(sweeps_num=9).transform(results)['points'].tensor.numpy()
    by_sweep = points.reshape(10, NUM_LANDMARKS, 5)
    np.testing.assert_array_equal(by_sweep[0, :, 3], np.arange(NUM_LANDMARKS))
    np.testing.assert_allclose(by_sweep[1:, :, :3], by_sweep[[0] * 9, :, :3], atol=2e-5)


def test_the_hosts_formula_moves_landmarks_by_decimetres(results):
    keyframe = np.fromfile(results['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
    host = LoadPointsFromMultiSweeps(sweeps_num=9, use_dim=5, test_mode=True)
    moved = host({**results, 'points': LiDARPoints(keyframe.copy(), points_dim=5)})['points']
    by_sweep = moved.tensor.numpy().reshape(10, NUM_LANDMARKS + NUM_CLOSE, 5)[:, :NUM_LANDMARKS]
    error_m = np.linalg.norm(by_sweep[1:, :, :3] - by_sweep[:1, :, :3], axis=2)
    # Newest sweep, 0.05 s; oldest, 0.45 s: at 8 m/s and 0.35 rad/s the error is 3.6 m * 0.16 rad.
    assert error_m[0].max() < 0.02
    assert 0.4 < error_m[8].min() < error_m[8].max() < 0.7


def test_the_time_lag_counts_seconds_before_the_keyframe(results):
    points = GeminiLoadPoints(sweeps_num=3).transform(results)['points'].tensor
    lags_s = points[:, 4].reshape(4, NUM_LANDMARKS)
    np.testing.assert_allclose(lags_s[:, 0], [0, 0.05, 0.10, 0.15], atol=1e-7)
    assert (lags_s == lags_s[:, :1]).all()


def test_one_sweep_of_four_is_read_the_oldest(results):
    points = GeminiLoadPoints(sweeps_num=8, sweep_step=4).transform(results)['points'].tensor
    all_points = GeminiLoadPoints(sweeps_num=9).transform(results)['points'].tensor
    # The fourth and the eighth before the keyframe.
    expected = all_points.reshape(10, NUM_LANDMARKS, 5)[[0, 4, 8]]
    assert torch.equal(points.reshape(3, NUM_LANDMARKS, 5), expected)
    for sweeps_num, sweep_step in ((9, 0), (9, 4), (3, 4)):
        with pytest.raises(ValueError, match=f'step={sweep_step} and sweeps_num={sweeps_num}.*a multiple'):
            GeminiLoadPoints(sweeps_num=sweeps_num, sweep_step=sweep_step)
    assert len(GeminiLoadPoints(sweeps_num=0, sweep_step=4).transform(results)['points']) == NUM_LANDMARKS


def test_every_read_gives_the_same_points(results):
    load = GeminiLoadPoints(sweeps_num=4)
    first, second = load.transform(results)['points'], load.transform(results)['points']
    assert (first.tensor == second.tensor).all()


def test_a_scene_that_starts_has_the_keyframe_alone(results):
    points = GeminiLoadPoints().transform({**results, 'lidar_sweeps': []})['points']
    assert points.tensor.shape == (NUM_LANDMARKS, 5)


def test_returns_from_the_car_itself_are_removed_from_keyframe_and_sweeps(results):
    kept = GeminiLoadPoints(sweeps_num=2, remove_close_m=0.0).transform(results)['points']
    assert len(kept) == 3 * (NUM_LANDMARKS + NUM_CLOSE)
    # Only (-0.9, 0.9) and (0.5, 0.2) reach beyond 0.4 m in x or y.
    some = GeminiLoadPoints(sweeps_num=2, remove_close_m=0.4).transform(results)['points']
    assert len(some) == 3 * (NUM_LANDMARKS + 2)
    assert len(GeminiLoadPoints(sweeps_num=2).transform(results)['points']) == 3 * NUM_LANDMARKS


def test_the_scene_is_not_augmented_yet_and_the_input_is_left_alone(results):
    keys = set(results)
    loaded = GeminiLoadPoints().transform(results)
    np.testing.assert_array_equal(loaded['lidar_aug_matrix'], np.eye(4))
    assert set(results) == keys


def test_a_file_that_ends_inside_a_point_is_named(results, tmp_path):
    (tmp_path / 'cut.bin').write_bytes(b'\0' * 24)
    results['lidar_points']['lidar_path'] = str(tmp_path / 'cut.bin')
    with pytest.raises(ValueError, match='cut.bin holds 6 numbers; expected a multiple of 5'):
        GeminiLoadPoints().transform(results)


def test_a_sweep_that_is_gone_is_named(results):
    results['lidar_sweeps'][1]['lidar_points']['lidar_path'] = 'nowhere/gone.bin'
    with pytest.raises(ValueError, match='nowhere/gone.bin cannot be read'):
        GeminiLoadPoints(sweeps_num=2).transform(results)
    assert len(GeminiLoadPoints(sweeps_num=1).transform(results)['points']) == 2 * NUM_LANDMARKS


def test_files_that_cannot_be_read_give_no_points_on_request(results, tmp_path):
    load = GeminiLoadPoints(sweeps_num=1, missing='mark')
    (tmp_path / 'cut.bin').write_bytes(b'\0' * 24)
    results['lidar_points']['lidar_path'] = str(tmp_path / 'cut.bin')
    lags_s = load.transform(results)['points'].tensor[:, 4]
    np.testing.assert_allclose(lags_s, [0.05] * NUM_LANDMARKS, atol=1e-7)
    results['lidar_sweeps'][0]['lidar_points']['lidar_path'] = str(tmp_path / 'gone.bin')
    assert load.transform(results)['points'].tensor.shape == (0, 5)


def test_a_negative_number_of_sweeps_is_refused():
    with pytest.raises(ValueError, match='sweeps_num=-1'):
        GeminiLoadPoints(sweeps_num=-1)


def test_sweeps_are_moved_as_exactly_as_in_double_precision(results):
    points = GeminiLoadPoints(sweeps_num=2, remove_close_m=0.0).transform(results)['points'].tensor.numpy()
    sweep = results['lidar_sweeps'][1]['lidar_points']
    raw = np.fromfile(sweep['lidar_path'], np.float32).reshape(-1, 5)
    sweep_from_keyframe = np.array(sweep['lidar2sensor'])
    expected = (raw[:, :3] - sweep_from_keyframe[:3, 3]) @ np.linalg.inv(sweep_from_keyframe[:3, :3]).T
    moved = points[2 * len(raw):]
    # Points are up to 100 m away, where float32 counts in steps of 8 micrometres.
    np.testing.assert_allclose(moved[:, :3], expected, atol=3e-5)
    np.testing.assert_array_equal(moved[:, 3], raw[:, 3])


def test_sweeps_that_a_subclass_reads_in_double_precision_are_left_alone(results):
    kept = []

    class DoublePoints(GeminiLoadPoints):
        def read_sweep(self, results, number, path):
            kept.append(super().read_sweep(results, number, path).astype(np.float64))
            return kept[-1]

    double = DoublePoints(sweeps_num=1).transform(results)['points'].tensor
    rings = [cloud[:, 4].copy() for cloud in kept]
    plain = GeminiLoadPoints(sweeps_num=1).transform(results)['points'].tensor
    np.testing.assert_allclose(double, plain, atol=1e-6)
    assert all(len(np.unique(ring)) > 1 for ring in rings)


def test_a_cloud_holds_the_tensor_itself():
    tensor = torch.rand(6, 5)
    cloud = lidar_points(tensor)
    assert isinstance(cloud, LiDARPoints) and cloud.points_dim == 5
    assert cloud.tensor is tensor


def test_another_tensor_keeps_kind_and_attributes_and_leaves_the_first_alone():
    first = DepthPoints(torch.rand(4, 6), points_dim=6, attribute_dims={'color': [3, 4, 5]})
    before, tensor = first.tensor.clone(), torch.rand(2, 6)
    second = with_tensor(first, tensor)
    assert isinstance(second, DepthPoints) and second.tensor is tensor
    assert torch.equal(second.color, tensor[:, 3:])
    assert torch.equal(first.tensor, before)


RANGE_M = [-54.0, -30.0, -5.0, 54.0, 40.0, 3.0]


def test_it_keeps_what_the_hosts_filter_keeps():
    rng = np.random.default_rng(0)
    rows = rng.uniform([-80, -80, -8, 0, 0], [80, 80, 6, 255, 0.5], (4000, 5)).astype(np.float32)
    rows[7, 0] = np.nan
    results = {'points': LiDARPoints(rows, points_dim=5), 'token': 'other keys stay'}
    ours = GeminiPointsRangeFilter(RANGE_M)(results)
    host = PointsRangeFilter(RANGE_M)({'points': LiDARPoints(rows, points_dim=5)})
    assert 500 < len(ours['points']) < 3500
    assert torch.equal(ours['points'].tensor, host['points'].tensor)
    assert isinstance(ours['points'], LiDARPoints) and ours['token'] == 'other keys stay'
    np.testing.assert_array_equal(results['points'].tensor.numpy(), rows)


def test_points_on_the_border_are_dropped():
    inside = [0.0, 0.0, 0.0]
    on_borders = [[*inside[:axis], RANGE_M[axis + 3 * side], *inside[axis + 1:]]
                  for axis in range(3) for side in range(2)]
    cloud = LiDARPoints(torch.tensor([inside, *on_borders]), points_dim=3)
    assert GeminiPointsRangeFilter(RANGE_M)({'points': cloud})['points'].tensor.tolist() == [inside]


def test_an_empty_cloud_stays_one():
    cloud = LiDARPoints(torch.zeros(0, 5), points_dim=5)
    assert GeminiPointsRangeFilter(RANGE_M)({'points': cloud})['points'].tensor.shape == (0, 5)


@pytest.mark.parametrize('has_sweeps', [True, False])
def test_as_mmdet3d_the_keyframe_keeps_close_returns_and_stands_in_for_sweeps(results, has_sweeps):
    keyframe = np.fromfile(results['lidar_points']['lidar_path'], np.float32).reshape(-1, 5)
    for sweep in results['lidar_sweeps']:
        # Where the car stands still, mmdet3d's formula is right.
        sweep['lidar_points']['lidar2sensor'] = np.eye(4)
    if not has_sweeps:
        results = {name: value for name, value in results.items() if name != 'lidar_sweeps'}
    found = GeminiLoadPoints(sweeps_num=9, convention='mmdet3d').transform(results)['points'].tensor
    host = LoadPointsFromMultiSweeps(sweeps_num=9, load_dim=5, use_dim=[0, 1, 2, 3, 4], test_mode=True,
                                     pad_empty_sweeps=True, remove_close=True)
    theirs_s = {'timestamp': results['timestamp_us'] / 1e6}
    if has_sweeps:
        theirs_s['lidar_sweeps'] = [{**sweep, 'timestamp': sweep['timestamp_us'] / 1e6}
                                    for sweep in results['lidar_sweeps']]
    points = LiDARPoints(keyframe.copy(), points_dim=5)
    theirs = host({**results, **theirs_s, 'points': points})['points'].tensor
    assert len(found) == 10 * NUM_LANDMARKS + NUM_CLOSE
    torch.testing.assert_close(found, theirs, rtol=0, atol=1e-6)


def test_an_unknown_convention_is_named():
    with pytest.raises(ValueError, match="got convention='host'; expected one of devkit, mmdet3d"):
        GeminiLoadPoints(convention='host')


def test_a_cloud_in_another_frame_is_said(monkeypatch):
    said = []
    monkeypatch.setattr(load_points, '_said', set())
    monkeypatch.setattr(load_points, 'print_log', lambda text, *_: said.append(text))
    cloud = np.random.default_rng(0).uniform([-50, -50, -3, 0, 0], [50, 50, 2, 255, 0], (1000, 5))
    keep = GeminiPointsRangeFilter(point_cloud_range=[-40, -50, -5, 40, 50, 3])
    assert len(keep({'points': lidar_points(torch.tensor(cloud))})['points']) > 700 and not said
    # Camera coordinates: z lies ahead, no point of the car's side is near the ground.
    turned = torch.tensor(cloud[:, [1, 2, 0, 3, 4]]) + torch.tensor([0, 0, 60, 0, 0])
    keep({'points': lidar_points(turned)}), keep({'points': lidar_points(turned)})
    assert len(said) == 1 and 'of 1000 points in the range' in said[0]
