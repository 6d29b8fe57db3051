"""Late sensors deliver the earlier keyframe's files; calibration, poses and times stay."""
import copy

import numpy as np
import pytest

from gemini_lab.corruptions.records import delay_cameras, delay_lidar

ON_TIME, LATE = 'now', 'before'


def record(when: str, sweeps: int = 2) -> dict:
    """Returns a record whose files and calibration tell when they are from."""
    return dict(
        images={name: dict(img_path=f'{name} {when}', lidar2cam=when) for name in ('front', 'back', 'left')},
        lidar_points=dict(lidar_path=when, lidar2ego=when), timestamp_us=when,
        lidar_sweeps=[dict(lidar_points=dict(lidar_path=f'{when} {number}', lidar2sensor=when),
                           timestamp_us=when) for number in range(sweeps)])


def sample(**options: int) -> dict:
    return {**record(ON_TIME), 'previous': record(LATE, **options)}


def drawn(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def late_cameras(results: dict) -> list:
    return [image['img_path'].endswith(LATE) for image in results['images'].values()]


def test_each_camera_is_late_on_its_own_as_often_as_published():
    late = np.array([[late_cameras(delay_cameras(sample(), severity, drawn(seed))) for severity in (1, 2, 3)]
                     for seed in range(1000)])
    np.testing.assert_allclose(late.mean(axis=0), np.repeat([[0.2], [0.4], [0.6]], 3, axis=1), atol=0.06)
    assert (late[:, 0] <= late[:, 1]).all() and (late[:, 1] <= late[:, 2]).all()
    assert abs(np.corrcoef(late[:, 1, 0], late[:, 1, 1])[0, 1]) < 0.13


def test_the_lidar_is_late_with_its_sweeps_as_often_as_published():
    results = [[delay_lidar(sample(), severity, drawn(seed)) for severity in (1, 2, 3)]
               for seed in range(1000)]
    late = np.array([[one['lidar_points']['lidar_path'] == LATE for one in row] for row in results])
    np.testing.assert_allclose(late.mean(axis=0), [0.2, 0.4, 0.6], atol=0.06)
    for one, is_late in zip(np.ravel(results), late.ravel()):
        files = [sweep['lidar_points']['lidar_path'] for sweep in one['lidar_sweeps']]
        when = LATE if is_late else ON_TIME
        assert files == [f'{when} 0', f'{when} 1']


def test_nothing_but_files_changes_and_the_input_stays():
    results = sample()
    before = copy.deepcopy(results)
    for seed in range(20):
        delayed = delay_lidar(delay_cameras(results, 3, drawn(seed)), 3, drawn(seed))
        assert {image['lidar2cam'] for image in delayed['images'].values()} == {ON_TIME}
        assert delayed['lidar_points']['lidar2ego'] == delayed['timestamp_us'] == ON_TIME
        assert {sweep['lidar_points']['lidar2sensor'] for sweep in delayed['lidar_sweeps']} == {ON_TIME}
    assert results == before


def test_a_late_file_brings_its_own_check_sum():
    results = sample()
    for part, number in ((results, 1), (results['previous'], 2)):
        for file in (*part['images'].values(), part['lidar_points'],
                     *(sweep['lidar_points'] for sweep in part['lidar_sweeps'])):
            file['crc32'] = number
    delayed = delay_lidar(delay_cameras(results, 3, drawn(1)), 3, drawn(1))
    files = [(image['img_path'], image['crc32']) for image in delayed['images'].values()]
    files += [(part['lidar_points']['lidar_path'], part['lidar_points']['crc32'])
              for part in (delayed, *delayed['lidar_sweeps'])]
    assert {number for _, number in files} == {1, 2}
    assert all(number == (2 if LATE in path else 1) for path, number in files)


def test_sweeps_stay_where_the_earlier_keyframe_has_fewer():
    late = [delay_lidar(sample(sweeps=1), 3, drawn(seed)) for seed in range(20)]
    assert {one['lidar_points']['lidar_path'] for one in late} == {ON_TIME, LATE}
    assert all(one['lidar_sweeps'] == sample()['lidar_sweeps'] for one in late)


@pytest.mark.parametrize('delay', [delay_cameras, delay_lidar])
def test_a_scenes_first_keyframe_has_nothing_earlier(delay):
    first = {**record(ON_TIME), 'previous': None}
    assert all(delay(first, 3, drawn(seed)) == first for seed in range(10))
