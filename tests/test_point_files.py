"""Point files: columns by name, and rows that no LiDAR measures."""
import numpy as np
import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.point_files import (in_nuscenes_columns, point_file_problem, read_point_file,
                                        without_absurd)

ROWS = np.arange(20, dtype=np.float32).reshape(4, 5)


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize('column', range(5))
def test_a_row_with_an_absurd_number_in_any_column_is_dropped(value, column):
    rows = ROWS.copy()
    rows[1, column] = value
    sound, dropped = without_absurd(rows)
    np.testing.assert_array_equal(sound, ROWS[[0, 2, 3]])
    assert dropped == 1


def test_sound_rows_are_handed_on_as_they_are():
    sound, dropped = without_absurd(ROWS)
    assert sound is ROWS and dropped == 0
    assert without_absurd(ROWS[:0])[1] == 0


def test_raw_and_numpy_files_and_rows_in_memory_are_the_same(tmp_path):
    ROWS.tofile(tmp_path / 'a.bin')
    np.save(tmp_path / 'a.npy', ROWS.astype(np.float64))
    for source in (str(tmp_path / 'a.bin'), str(tmp_path / 'a.npy'), ROWS):
        rows = read_point_file(source)
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, ROWS)


def test_other_columns_are_put_in_their_places():
    rows = in_nuscenes_columns(ROWS[:, :4], ('z', 'time', 'x', 'y'))
    np.testing.assert_array_equal(rows[0], [2, 3, 0, 0, 0])


@pytest.mark.parametrize('columns', [('x', 'y', 'z'), ('x', 'y', 'z', 'intensity', 'ring', 'time')])
def test_a_cloud_of_other_columns_than_declared_is_refused(tmp_path, columns):
    ROWS.tofile(tmp_path / 'a.bin')
    np.save(tmp_path / 'a.npy', ROWS)
    for name in ('a.bin', 'a.npy'):
        with pytest.raises(UserError, match=f'{name} .*expected .*{len(columns)}.* the columns x, y, z'):
            read_point_file(str(tmp_path / name), columns)


@pytest.mark.parametrize('name', ['a.pcd', 'a.PLY', 'a.las', 'a.npz', 'a.txt'])
def test_files_of_other_formats_are_not_read_as_numbers(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(40))
    with pytest.raises(UserError, match=rf'{name} is no file of rows; expected float32 rows'):
        read_point_file(str(tmp_path / name))
    (tmp_path / f'{name}.bin').write_bytes(bytes(40))
    assert len(read_point_file(str(tmp_path / f'{name}.bin'))) == 2


def test_code_in_a_numpy_file_is_not_run(tmp_path):
    np.save(tmp_path / 'a.npy', np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match='damaged'):
        read_point_file(str(tmp_path / 'a.npy'))


@pytest.mark.parametrize('content, expected', [(b'', 'empty'), (b'x' * 41, 'truncated'), (b'x' * 40, None)])
def test_a_file_is_judged_by_its_size(tmp_path, content, expected):
    (tmp_path / 'a.bin').write_bytes(content)
    assert point_file_problem(str(tmp_path / 'a.bin')) == expected
    assert point_file_problem(str(tmp_path / 'b.bin')) == 'missing'
