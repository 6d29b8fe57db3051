"""The drawing tool writes a picture, and answers mistakes in one line."""
import runpy
import sys
from pathlib import Path

import cv2
import pytest
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes

DRAW_SENSORS = Path(__file__).parents[2] / 'tools' / 'draw_sensors.py'


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])
    convert_nuscenes(root, 'v1.0-mini', root)
    return root


def run_tool(monkeypatch: pytest.MonkeyPatch, root: Path, *arguments: object) -> int:
    """Runs the tool in this process; returns its exit code."""
    monkeypatch.setattr(sys, 'argv', ['draw_sensors.py', '--root-path', str(root), '--info-file',
                                      'geminifusion3d_infos_mini_train.pkl', *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(DRAW_SENSORS), run_name='__main__')
    return stopped.value.code


def test_the_same_command_draws_the_same_picture_and_a_seed_another(root, tmp_path, monkeypatch):
    names = [tmp_path / name for name in ('a.png', 'b.png', 'c.png')]
    for name, options in zip(names, [(), (), ('--augment', 1)]):
        assert run_tool(monkeypatch, root, '--out', name, '--sweeps', 2, *options) == 0
    first, second, augmented = (name.read_bytes() for name in names)
    assert first == second != augmented
    assert cv2.imread(str(names[0])).shape == (900, 3 * 800 + 900, 3)


@pytest.mark.parametrize('options, message', [
    (('--index', 3), 'holds 3 keyframes; got --index 3, expected 0 to 2'),
    (('--index', -1), 'got --index -1'),
])
def test_a_keyframe_that_is_not_there_is_answered_in_one_line(root, tmp_path, monkeypatch, capsys,
                                                              options, message):
    assert run_tool(monkeypatch, root, '--out', tmp_path / 'a.png', *options) == 2
    stderr = capsys.readouterr().err
    assert message in stderr and stderr.count('\n') == 1


def test_a_name_that_is_no_picture_is_refused(root, tmp_path, monkeypatch, capsys):
    assert run_tool(monkeypatch, root, '--out', tmp_path / 'a.pdf') == 2
    assert 'ends in .png or .jpg' in capsys.readouterr().err
