"""Ensembling and looking into results files, as a user meets them: what is printed, written, refused."""
import json
from pathlib import Path
from typing import Any, Callable, Tuple

import cv2
import pytest
from commands import Gemini3d
from ten_objects import META, VAL_TOKENS, VERSION, perfect_submission, write_ten_objects
from tiny_nuscenes import write_tiny_nuscenes

from geminifusion3d.submission.split_samples import read_split_samples
from geminifusion3d.submission.validation import validate_file

Done = Tuple[int, str, str]


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a dataset of three samples."""
    return write_ten_objects(tmp_path_factory.mktemp('tools') / 'nuscenes')


@pytest.fixture
def run(gemini3d: Gemini3d) -> Callable[..., Done]:
    """Runs a command; returns exit code, output and errors."""
    def run_one(*words: Any) -> Done:
        done = gemini3d(*words)
        return done.returncode, done.stdout, done.stderr
    return run_one


@pytest.fixture
def files(tmp_path: Path) -> Tuple[Path, Path]:
    """Two submissions: a perfect one, and one of a LiDAR detector without cars."""
    other = perfect_submission()
    other['meta'] = {**META, 'use_camera': False}
    for records in other['results'].values():
        del records[0]
    for name, content in (('a.json', perfect_submission()), ('b.json', other)):
        (tmp_path / name).write_text(json.dumps(content))
    return tmp_path / 'a.json', tmp_path / 'b.json'


def test_an_ensemble_is_a_valid_submission_that_says_what_went_in(run, root, files, tmp_path):
    code, output, errors = run('ensemble', *files, '--weights', 3, 1, '--radius', 'car=2',
                               '--out', tmp_path / 'out')
    assert code == 0, errors
    assert f'{tmp_path / "out" / "results_nusc.json"}: 2 samples, 20 boxes' in output
    split = read_split_samples(data_root=root, version=VERSION, split='mini_val')
    assert validate_file(tmp_path / 'out' / 'results_nusc.json', split).is_valid
    content = json.loads((tmp_path / 'out' / 'results_nusc.json').read_text())
    assert content['meta'] == META
    scores = {record['detection_name']: record['detection_score']
              for record in content['results'][VAL_TOKENS[0]]}
    # One of the two missed the cars: 3 * 0.9 / (3 + 1).
    assert scores['car'] == pytest.approx(0.675) and scores['bus'] == pytest.approx(0.9)
    origin = json.loads((tmp_path / 'out' / 'ensemble.json').read_text())
    assert [(Path(row['path']).name, row['weight'], row['boxes']) for row in origin['files']] == [
        ('a.json', 3, 20), ('b.json', 1, 18)]
    assert origin['radius_m']['car'] == 2 and len(origin['files'][0]['sha256']) == 64


def test_an_ensemble_says_what_it_gains_and_costs(run, root, files, tmp_path):
    dataset = ('--dataroot', root, '--version', VERSION, '--split', 'mini_val')
    out = tmp_path / 'out'
    code, output, errors = run('ensemble', files[1], files[1], files[0], *dataset, '--out', out)
    assert code == 0, errors
    rows = json.loads((out / 'ensemble_gain.json').read_text())['rows']
    # The file without cars finds nine of ten classes, the other and the ensemble all.
    assert [row['mAP'] for row in rows] == pytest.approx([0.9, 0.9, 1.0, 1.0])
    assert [row['mAP_gain'] for row in rows] == pytest.approx([-0.1, -0.1, 0, 0])
    assert 'fused' in output and 'ms per sample to fuse' in output


@pytest.mark.parametrize('arguments, message', [
    (['--weights', 1], 'got weights 1 for 2 sources'),
    (['--split', 'mini_val'], 'name the folder of a nuScenes dataset with --dataroot'),
    (['--weights', '1', '0'], 'each above 0'),
    (['--radius', 'car'], "got 'car'; expected CLASS=METRES"),
    (['--radius', 'van=1'], 'for one of car, truck'), (['--radius', 'car=0'], 'metres above 0')])
def test_mistakes_of_an_ensemble_are_one_line(run, files, tmp_path, arguments, message):
    code, _, errors = run('ensemble', *files, '--out', tmp_path / 'out', *arguments)
    assert code == 2 and message in errors


def test_one_file_is_no_ensemble(run, files, tmp_path):
    code, _, errors = run('ensemble', files[0], '--out', tmp_path / 'out')
    assert code == 2 and 'an ensemble is made of two or more' in errors


def test_an_ensemble_never_replaces_its_input(run, files, tmp_path):
    source = files[0].rename(tmp_path / 'results_nusc.json')
    code, _, errors = run('ensemble', source, files[1], '--out', tmp_path)
    assert code == 2 and 'would replace the input' in errors


def test_inspect_prints_counts_and_needs_all_of_a_dataset(run, root, files, tmp_path):
    dataset = ('--dataroot', root, '--version', VERSION, '--split', 'mini_val')
    code, output, errors = run('predictions', 'summary', files[1], *dataset,
                               '--json', tmp_path / 'summary.json')
    assert code == 0, errors
    assert 'b.json: 2 samples, 18 boxes' in output and 'look at: no box of class car' in output
    assert json.loads((tmp_path / 'summary.json').read_text())['classes']['bus']['boxes'] == 2
    code, _, errors = run('predictions', 'summary', files[1], '--dataroot', root)
    assert code == 2 and 'got no --split' in errors


def test_compare_names_the_objects_that_one_file_missed(run, root, files, tmp_path):
    dataset = ('--dataroot', root, '--version', VERSION, '--split', 'mini_val')
    code, output, errors = run('predictions', 'compare', *files, *dataset, '--json', tmp_path / 'c.json')
    assert code == 0, errors
    row = next(line for line in output.splitlines() if line.startswith('car'))
    assert row.split()[1:6] == ['2', '0', '2', '0', '0']
    objects = json.loads((tmp_path / 'c.json').read_text())['objects']
    assert [entry['class'] for entry in objects] == ['car'] * 2
    broken = json.loads(files[0].read_text())
    del broken['results'][VAL_TOKENS[0]]
    files[0].write_text(json.dumps(broken))
    code, _, errors = run('predictions', 'compare', *files, *dataset)
    assert code == 2 and 'missing-sample' in errors


def test_draw_writes_a_picture(run, tmp_path):
    root = write_tiny_nuscenes(tmp_path / 'nuscenes')
    token = json.loads((root / VERSION / 'sample.json').read_text())[0]['token']
    (tmp_path / 'r.json').write_text(json.dumps({'meta': META, 'results': {token: []}}))
    out = tmp_path / 'sample.png'
    code, output, errors = run('predictions', 'draw', tmp_path / 'r.json', '--sample', token,
                               '--dataroot', root, '--version', VERSION, '--out', out)
    assert code == 0, errors
    assert cv2.imread(str(out)).shape == (720, 2640, 3)
    assert '0 predictions from 0.2' in output
