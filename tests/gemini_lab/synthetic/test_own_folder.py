"""A generator's folder: what others put there stays, other arguments are refused, the same ones go on."""
import pytest

from gemini_lab.synthetic.own_folder import own_folder, write_own_file
from geminifusion3d.errors import UserError

ARGUMENTS = {'seed': 0, 'scenes': 2}


def test_the_same_arguments_go_on_and_what_is_there_stays(tmp_path):
    for _ in range(2):
        with own_folder(tmp_path / 'a', '.mark', ARGUMENTS):
            write_own_file(tmp_path / 'a/b/c.bin', b'123')
    before = (tmp_path / 'a/b/c.bin').stat().st_mtime_ns
    write_own_file(tmp_path / 'a/b/c.bin', b'123')
    assert (tmp_path / 'a/b/c.bin').stat().st_mtime_ns == before


def test_a_file_that_somebody_put_into_a_marked_folder_stays(tmp_path):
    with own_folder(tmp_path, '.mark', ARGUMENTS):
        (tmp_path / 'real.png').write_bytes(b'real')
        with pytest.raises(UserError, match='somebody else wrote it'):
            write_own_file(tmp_path / 'real.png', b'made up')
    assert (tmp_path / 'real.png').read_bytes() == b'real'


def test_other_arguments_another_folder_and_a_damaged_mark_are_refused(tmp_path):
    with own_folder(tmp_path, '.mark', ARGUMENTS):
        pass
    with pytest.raises(UserError, match='made with scenes=2, now scenes=3 is asked for'), own_folder(
            tmp_path, '.mark', {**ARGUMENTS, 'scenes': 3}):
        pass
    with pytest.raises(UserError, match='did not write'), own_folder(tmp_path, '.other', ARGUMENTS):
        pass
    (tmp_path / '.mark').write_text('{')
    with pytest.raises(UserError, match='is damaged'), own_folder(tmp_path, '.mark', ARGUMENTS):
        pass


def test_a_mark_of_an_earlier_version_knows_less(tmp_path):
    (tmp_path / '.mark').write_text('{"seed": 0}')
    with own_folder(tmp_path, '.mark', ARGUMENTS):
        pass
