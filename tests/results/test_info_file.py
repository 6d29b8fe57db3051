"""Info files are read, never executed."""
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from ten_objects import EGO_XYZ_M, VAL_TOKENS, write_infos

from geminifusion3d.errors import UserError
from geminifusion3d.results.info_file import read_info_file


class Malicious:
    """Runs a command when an ordinary unpickler reads it."""

    def __reduce__(self) -> tuple:
        """Names a function and its arguments."""
        return os.system, ('echo executed', )


def test_the_facts_of_a_split_are_read(tmp_path: Path) -> None:
    infos = read_info_file(write_infos(tmp_path / 'infos.pkl'))
    assert (infos.version, infos.split, infos.has_annotations) == ('v1.0-mini', 'mini_val', True)
    assert [frame.token for frame in infos.frames] == list(VAL_TOKENS)
    frame = infos.frames[0]
    np.testing.assert_allclose(frame.ego_xy_global_m, EGO_XYZ_M[:2])
    # The LiDAR stands 0.944 m before the rear axle, the car looks 30 degrees to the left of x.
    np.testing.assert_allclose(
        frame.global_from_lidar[:3, 3],
        [100 + 0.944 * np.cos(np.pi / 6), 200 + 0.944 * np.sin(np.pi / 6), 1.84])


def test_code_in_an_info_file_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    path = tmp_path / 'infos.pkl'
    path.write_bytes(pickle.dumps({'metainfo': Malicious()}))
    with pytest.raises(UserError, match='asks for posix.system'):
        read_info_file(path)
    assert 'executed' not in capfd.readouterr().out


@pytest.mark.parametrize('content, message', [
    (None, 'cannot read'), (b'', 'damaged or no pickle'), (b'text', 'damaged or no pickle'),
    (pickle.dumps({'data_list': []}), 'no info file'),
    (pickle.dumps({'metainfo': {'version': 'v'}, 'data_list': []}), 'no info file'),
    (pickle.dumps([1]), 'no info file')])
def test_what_is_no_info_file_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / 'infos.pkl'
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_info_file(path)


def test_a_cut_info_file_is_named(tmp_path: Path) -> None:
    path = write_infos(tmp_path / 'infos.pkl')
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match='write it again'):
        read_info_file(path)
