"""A wrong calibration: a rigid motion of the expected size, for all cameras or each, and nothing else."""
import numpy as np
import pytest

from geminifusion3d.sensors import GeminiJitterCalibration
from geminifusion3d.sensors.draws import seeded_generators

FRONT = np.array([[0.0, -1, 0, 0.1], [0, 0, -1, -0.3], [1, 0, 0, -0.4], [0, 0, 0, 1]])
BACK = np.array([[0.0, 1, 0, 0.2], [0, 0, -1, -0.3], [-1, 0, 0, -0.5], [0, 0, 0, 1]])
DRAWS = 2000


def sample():
    """Returns a sample of two cameras."""
    return dict(lidar2cam=np.stack([FRONT, BACK]).astype(np.float32), img=['a', 'b'],
                lidar_aug_matrix=np.eye(4))


def jitters(count=DRAWS, seed=0, **options):
    """Returns new_cam_from_lidar (count, 2, 4, 4)."""
    step = GeminiJitterCalibration(**options)
    with seeded_generators((seed,)):
        return np.stack([step.transform(sample())['lidar2cam'] for _ in range(count)]).astype(np.float64)


def test_all_cameras_see_the_lidar_moved_by_one_rigid_motion():
    motions = np.linalg.inv(np.stack([FRONT, BACK])) @ jitters(turn_std_deg=2.0, shift_std_m=(0.3, 0.2, 0.1))
    np.testing.assert_allclose(motions[:, 0], motions[:, 1], atol=1e-5)
    turns = motions[:, 0, :3, :3]
    np.testing.assert_allclose(turns @ turns.swapaxes(1, 2), np.tile(np.eye(3), (DRAWS, 1, 1)), atol=1e-5)
    np.testing.assert_allclose(np.linalg.det(turns), 1, atol=1e-5)
    # Five standard deviations of a standard deviation of 2000 draws are a twelfth of it.
    np.testing.assert_allclose(motions[:, 0, :3, 3].std(axis=0), [0.3, 0.2, 0.1], rtol=1 / 12)
    angles_deg = np.rad2deg([turns[:, 2, 1], turns[:, 0, 2], turns[:, 1, 0]])
    np.testing.assert_allclose(angles_deg.std(axis=1), 2.0, rtol=1 / 12)
    np.testing.assert_allclose(angles_deg.mean(axis=1), 0, atol=0.25)


def test_each_camera_moves_about_its_own_centre_where_asked():
    motions = jitters(turn_std_deg=2.0, shift_std_m=(0, 0, 0), each_camera=True) @ np.linalg.inv(
        np.stack([FRONT, BACK]))
    # A point at the camera's centre stays there.
    np.testing.assert_allclose(motions[..., :3, 3], 0, atol=1e-5)
    yaws = motions[:, :, 1, 0]
    assert abs(np.corrcoef(yaws[:, 0], yaws[:, 1])[0, 1]) < 5 / DRAWS ** 0.5


def test_so_many_samples_are_changed_and_nothing_but_the_calibration():
    changed = (jitters(prob=0.3) != sample()['lidar2cam']).any(axis=(1, 2, 3))
    assert changed.mean() == pytest.approx(0.3, abs=5 * 0.5 / DRAWS ** 0.5)
    before = sample()
    after = GeminiJitterCalibration().transform(before)
    assert after['lidar2cam'].dtype == np.float32 and after['lidar2cam'].shape == (2, 4, 4)
    assert all(after[key] is before[key] for key in before if key != 'lidar2cam')
    np.testing.assert_array_equal(before['lidar2cam'], sample()['lidar2cam'])


def test_the_same_seed_draws_the_same_and_takes_as_many_numbers_whether_it_changes_or_not():
    np.testing.assert_array_equal(jitters(5), jitters(5))
    assert not np.array_equal(jitters(5), jitters(5, seed=1))
    following = []
    for prob in (0.0, 1.0):
        with seeded_generators((0,)):
            GeminiJitterCalibration(prob=prob).transform(sample())
            following.append(np.random.uniform())
    assert following[0] == following[1]


@pytest.mark.parametrize('wrong', [dict(turn_std_deg=-1), dict(shift_std_m=(0.1, 0.1)), dict(prob=1.5),
                                   dict(shift_std_m=(0.1, -0.1, 0))], ids=str)
def test_impossible_deviations_are_refused(wrong):
    with pytest.raises(ValueError, match='expected deviations of 0 or more'):
        GeminiJitterCalibration(**wrong)


def test_a_sample_without_cameras_is_refused():
    with pytest.raises(ValueError, match='without lidar2cam'):
        GeminiJitterCalibration().transform(dict(points=None))
