"""Each corruption of LiDAR sweeps against numbers by hand, and what grows with severity."""
import numpy as np
import pytest

from gemini_lab.corruptions.clouds import (_echo_table, covered_per_m, flakes_per_m3, fog_cloud,
                                           misplace_cloud, reduce_beams, reduce_points, shake_cloud,
                                           snow_cloud, turn)

ALL = [reduce_beams, reduce_points, shake_cloud, misplace_cloud, fog_cloud, snow_cloud]


def sweep(count: int = 3200) -> np.ndarray:
    """Returns points of 32 beams, 2 to 70 m away, of all intensities."""
    rng = np.random.default_rng(5)
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    points_m = direction * rng.uniform(2, 70, (count, 1))
    return np.column_stack([points_m, rng.integers(0, 256, count), np.arange(count) % 32]).astype(np.float32)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def ranges_m(cloud: np.ndarray) -> np.ndarray:
    return np.linalg.norm(cloud[:, :3], axis=1)


@pytest.mark.parametrize('corrupt', ALL)
def test_sweeps_keep_their_columns_and_the_input_stays(corrupt):
    cloud = sweep()
    before = cloud.copy()
    for severity in (1, 2, 3):
        first, second = (corrupt(cloud, severity, drawn(3)) for _ in range(2))
        assert first.shape[1] == 5 and first.dtype == np.float32 and np.isfinite(first).all()
        assert (first == second).all()
    assert (cloud == before).all()


@pytest.mark.parametrize('corrupt', ALL)
def test_an_empty_sweep_stays_empty_and_other_severities_are_refused(corrupt):
    assert corrupt(np.zeros((0, 5), np.float32), 2, drawn()).shape == (0, 5)
    with pytest.raises(ValueError, match='got severity 4'):
        corrupt(sweep(), 4, drawn())


def test_16_8_and_4_beams_are_left():
    left = [np.unique(reduce_beams(sweep(), severity, drawn())[:, 4]).tolist() for severity in (1, 2, 3)]
    assert left[0] == list(range(1, 32, 2))
    assert left[1] == [1, 5, 9, 13, 17, 21, 25, 29]
    assert left[2] == [1, 9, 17, 25]


def test_30_20_and_10_percent_of_the_points_are_left_each_among_those_before():
    kept = [reduce_points(sweep(), severity, drawn()) for severity in (1, 2, 3)]
    assert [len(cloud) for cloud in kept] == [960, 640, 320]
    as_sets = [set(map(bytes, cloud)) for cloud in kept]
    assert as_sets[2] < as_sets[1] < as_sets[0] < set(map(bytes, sweep()))


def test_a_shaken_sweep_is_shifted_as_a_whole_and_jitters_little():
    moves_m = [(shake_cloud(sweep(), 3, drawn(seed)) - sweep())[:, :3] for seed in range(200)]
    shifts_m = np.array([move.mean(axis=0) for move in moves_m])
    np.testing.assert_allclose(shifts_m.std(axis=0), 0.13, rtol=0.2)
    jitter_m = np.concatenate([move - move.mean(axis=0) for move in moves_m])
    np.testing.assert_allclose(jitter_m.std(axis=0), 0.13 * np.array([0.15, 0.2, 0.12]), rtol=0.02)
    assert (shake_cloud(sweep(), 3, drawn())[:, 3:] == sweep()[:, 3:]).all()


def test_misplaced_sweeps_are_as_frequent_as_published():
    moved = np.array([[(misplace_cloud(sweep(4), severity, drawn(seed)) != sweep(4)).any()
                       for severity in (1, 2, 3)] for seed in range(2000)])
    np.testing.assert_allclose(moved.mean(axis=0), [0.2, 0.4, 0.6], atol=0.045)
    assert (moved[:, 0] <= moved[:, 1]).all() and (moved[:, 1] <= moved[:, 2]).all()


def test_a_misplaced_sweep_is_turned_about_all_axes_then_2_m_further_along_x():
    seed = next(seed for seed in range(50) if drawn(seed).random() < 0.2)
    point = np.array([[10.0, 0.0, 0.0, 7.0, 3.0]], np.float32)
    # x of 1 degree: about z it turns to -y, about y to +z; the rotation about x is of second order.
    expected = [10 * np.cos(np.pi / 180) ** 2 + 2, -0.1745, 0.1745]
    moved = misplace_cloud(point, 1, drawn(seed))
    np.testing.assert_allclose(moved[0, :3], expected, atol=4e-3)
    assert (moved[0, 3:] == point[0, 3:]).all()
    np.testing.assert_allclose(turn(3.0) @ turn(3.0).T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn(3.0)) == pytest.approx(1)


@pytest.mark.parametrize('attenuation, echo_m, response', [
    (0.02, 4.70, 4.3466e-9), (0.03, 4.70, 4.2058e-9), (0.06, 4.60, 3.8156e-9)])
def test_the_strongest_echo_of_fog_is_the_published_one(attenuation, echo_m, response):
    # MultiCorrupt's integral tables at every range beyond 5 m.
    ranges, responses = _echo_table(attenuation)
    assert ranges[-1] == pytest.approx(echo_m, abs=0.06)
    assert responses[-1] == pytest.approx(response, rel=1e-3)
    # At 2 m the pulse is still rising: 3.6126e-10, 3.5314e-10, 3.2987e-10 a step of 0.1 m earlier.
    assert responses[19] < {0.02: 3.7e-10, 0.03: 3.6e-10, 0.06: 3.3e-10}[attenuation] < responses[20]
    assert responses[:10].max() == 0


def test_fog_fades_a_near_bright_point_and_swallows_a_far_dim_one():
    # 10 m, 200: exp(-0.4) * 200 = 134.1; its echo is 4.3466e-9 * 200 * 100 * 0.008 / (1e-6 / pi) = 2.2.
    near = np.array([[10, 0, 0, 200, 3]], np.float32)
    np.testing.assert_allclose(fog_cloud(near, 1, drawn()), [[10, 0, 0, 134, 3]], rtol=1e-6)
    # 60 m, 20, heavy fog: exp(-7.2) * 20 = 0.01, rounded to 0, below its echo; the range is then
    # 60 * 4.6 / (50 to 70).
    far = np.tile(np.array([[0, 60, 0, 20, 3]], np.float32), (500, 1))
    foggy = fog_cloud(far, 3, drawn())
    assert (foggy[:, 1] > 3.9).all() and (foggy[:, 1] < 5.6).all() and foggy[:, 1].std() > 0.3
    assert (foggy[:, 3] > 0).all() and (foggy[:, 0] == 0).all()


def test_no_return_of_fog_lies_behind_the_sensor():
    cloud = sweep()
    foggy = fog_cloud(cloud, 3, drawn())
    assert ((foggy[:, :3] * cloud[:, :3]).sum(axis=1) > 0).all()


@pytest.mark.parametrize('corrupt', [fog_cloud, snow_cloud])
def test_denser_weather_brings_returns_nearer(corrupt):
    clean = ranges_m(sweep()).mean()
    means = [ranges_m(corrupt(sweep(), severity, drawn(1))).mean() for severity in (1, 2, 3)]
    assert clean > means[0] > means[1] > means[2]


def test_snow_has_the_flakes_of_its_snowfall():
    # 1.5 mm/h at 0.4 m/s and a tenth of water's density: 10 * 1.5 / (3.6e6 * 0.4) = 1.042e-5 of the air,
    # in flakes of pi / 6 * 27 mm^3: 737 a cubic metre, which cover 737 * pi / 4 * 9e-6 of a beam a metre.
    assert flakes_per_m3(3) == pytest.approx(737, rel=1e-3)
    assert covered_per_m(3) == pytest.approx(5.21e-3, rel=1e-3)
    assert flakes_per_m3(1) < flakes_per_m3(2) < flakes_per_m3(3)


def test_snow_loses_points_and_puts_flakes_near_the_sensor():
    far = np.tile(np.array([[40, 0, 0, 100, 3]], np.float32), (20000, 1))
    snowy = snow_cloud(far, 3, drawn())
    is_flake = snowy[:, 0] < 39
    # A flake outshines the target up to sqrt(40 * 1 m); cone of 3 mrad from 1 m to there.
    seen_m = 40 ** 0.5
    share = 1 - np.exp(-737 * np.pi / 12 * 9e-6 * (seen_m ** 3 - 1))
    assert is_flake.sum() / len(far) == pytest.approx(share, abs=0.015)
    assert snowy[is_flake, 0].min() >= 1 and snowy[is_flake, 0].max() <= seen_m
    # The others are lost with the share of the beam that flakes cover, and are as much fainter.
    through = np.exp(-5.21e-3 * 40)
    assert (~is_flake).sum() / len(far) == pytest.approx((1 - share) * through, abs=0.015)
    assert (snowy[~is_flake, 3] == round(100 * through)).all()
