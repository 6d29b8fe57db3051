"""The drawing tool writes a picture, and answers mistakes in one line."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_nuscenes import write_tiny_nuscenes

from gemini_lab.synthetic.records import generate_records
from geminifusion3d.data_converters.convert_nuscenes import convert_nuscenes


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted tiny dataset."""
    root = write_tiny_nuscenes(tmp_path_factory.mktemp('tiny'), scenes=['scene-0061'])
    convert_nuscenes(root, 'v1.0-mini', root)
    return root


@pytest.fixture
def draw(gemini3d, root: Path):
    """Draws a keyframe of mini_train."""
    return lambda *words: gemini3d('draw', '--dataroot', root, '--split', 'mini_train', *words)


def test_the_same_command_draws_the_same_picture_and_a_seed_another(draw, tmp_path):
    names = [tmp_path / name for name in ('a.png', 'b.png', 'c.png')]
    for name, options in zip(names, [(), (), ('--augment', 1)]):
        assert draw('--out', name, '--sweeps', 2, *options).returncode == 0
    first, second, augmented = (name.read_bytes() for name in names)
    assert first == second != augmented
    assert cv2.imread(str(names[0])).shape == (900, 3 * 800 + 900, 3)


@pytest.mark.parametrize('options, message', [
    (('--index', 3), 'holds 3 keyframes; got --index 3, expected 0 to 2'),
    (('--index', -1), 'got --index -1'),
])
def test_a_keyframe_that_is_not_there_is_answered_in_one_line(draw, tmp_path, options, message):
    done = draw('--out', tmp_path / 'a.png', *options)
    stderr = done.stderr
    assert done.returncode == 2
    assert message in stderr and stderr.count('\n') == 1


def test_a_name_that_is_no_picture_is_refused(draw, tmp_path):
    done = draw('--out', tmp_path / 'a.pdf')
    assert done.returncode == 2 and 'ends in .png or .jpg' in done.stderr


def test_generic_records_are_drawn_with_their_own_cameras(gemini3d, tmp_path):
    root = tmp_path / 'mine'
    generate_records(root, scenes=2, samples_per_scene=2)
    done = gemini3d('draw', '--info-file', root / 'val.jsonl', '--index', 1, '--out', tmp_path / 'a.png')
    assert done.returncode == 0, done.stderr
    picture = cv2.imread(str(tmp_path / 'a.png'))
    assert picture.shape == (450, 3 * 800 + 450, 3) and picture[:, 1600:2400].std() > 10


def test_radars_of_records_are_drawn_when_asked_for(gemini3d, tmp_path):
    root = tmp_path / 'mine'
    generate_records(root, scenes=2, samples_per_scene=2)
    records = [json.loads(line) for line in (root / 'val.jsonl').read_text().splitlines()]
    np.array([[20.0, 0, 0, 10, 5, 0]], np.float32).tofile(root / 'radar.bin')
    columns = ['x', 'y', 'z', 'rcs', 'vx', 'vy']
    records[0]['radars'] = {'front': [dict(path='radar.bin', columns=columns,
                                           lidar_from_radar=np.eye(4).tolist())]}
    records[0].pop('crc32', None)
    (root / 'own.jsonl').write_text(json.dumps(records[0]) + '\n')
    pictures = []
    for number, words in enumerate(((), ('--radars',))):
        out = tmp_path / f'{number}.png'
        done = gemini3d('draw', '--info-file', root / 'own.jsonl', '--out', out, *words)
        assert done.returncode == 0, done.stderr
        pictures.append(cv2.imread(str(out)))
    changed = np.argwhere((pictures[0] != pictures[1]).any(axis=2))
    # From above, 450 pixels for 110 m behind the cameras: 20 m to the right of the middle.
    assert (np.abs(changed - [225, 3 * 800 + 225 + 82]).max(axis=1) < 5).any()


def test_an_info_file_may_lie_elsewhere_than_the_dataset(gemini3d, root, tmp_path, monkeypatch):
    convert_nuscenes(root, 'v1.0-mini', tmp_path / 'infos')
    monkeypatch.chdir(tmp_path)
    for name in ('infos/geminifusion3d_infos_mini_train.pkl', 'geminifusion3d_infos_mini_train.pkl'):
        done = gemini3d('draw', '--dataroot', root, '--info-file', name, '--out', 'a.png')
        assert done.returncode == 0, done.stderr
