"""A folder has one writer; the lock goes with its holder."""
import pytest

from geminifusion3d.atomic import locked_folder
from geminifusion3d.errors import UserError


def test_a_second_writer_is_told_and_the_next_one_may_write(tmp_path):
    with locked_folder(tmp_path / 'out'):
        with pytest.raises(UserError, match='another command is writing to .*out; wait'):
            with locked_folder(tmp_path / 'out'):
                pass
    with locked_folder(tmp_path / 'out'):
        assert (tmp_path / 'out').is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='cannot create the folder .*file/out'):
        with locked_folder(tmp_path / 'file' / 'out'):
            pass
