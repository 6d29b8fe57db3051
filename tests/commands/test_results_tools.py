"""The commands around a submission: exit codes and what they print, as a user meets them."""
import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from commands import Done
from ten_objects import META, VAL_TOKENS, VERSION, perfect_submission, write_infos, write_ten_objects


@pytest.fixture(scope='module')
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a dataset of three samples."""
    return write_ten_objects(tmp_path_factory.mktemp('tools') / 'nuscenes')


@pytest.fixture
def validate(gemini3d: Callable[..., Done], root: Path) -> Callable[..., Done]:
    """Runs the validator on mini_val."""
    def run_validator(path: Path, *arguments: str, dataroot: Path = root) -> Done:
        return gemini3d('validate', path, '--dataroot', dataroot, '--version', VERSION,
                        '--split', 'mini_val', *arguments)
    return run_validator


def written(path: Path, content: Dict[str, Any]) -> Path:
    """Writes JSON and returns the path."""
    path.write_text(json.dumps(content))
    return path


def test_validate_says_valid_and_exits_with_0(
        validate: Callable[..., Done], tmp_path: Path) -> None:
    done = validate(written(tmp_path / 'r.json', perfect_submission()))
    assert done.returncode == 0
    assert done.stdout.endswith('valid, 2 samples, 20 boxes, track open, 0 errors, 0 warnings\n')


def test_validate_names_each_finding_and_exits_with_1(
        validate: Callable[..., Done], tmp_path: Path) -> None:
    content = perfect_submission()
    content['results'][VAL_TOKENS[0]][3]['rotation'] = [0, 0, 0, 0]
    del content['results'][VAL_TOKENS[1]]
    path = written(tmp_path / 'r.json', content)
    done = validate(path)
    assert done.returncode == 1
    assert '[missing-sample]' in done.stdout
    assert f'results.{VAL_TOKENS[0]}[3].rotation: got [0.0, ' in done.stdout
    assert 'INVALID, 1 sample, 10 boxes' in done.stdout.splitlines()[-1]
    verdict = json.loads(validate(path, '--json').stdout)
    assert not verdict['valid']
    assert [[found['rule'] for found in verdict[kind]] for kind in ('server_refuses', 'advice')] == [
        ['missing-sample'], ['quaternion-norm']]


def test_validate_that_could_not_run_exits_with_2_and_one_line(
        validate: Callable[..., Done], tmp_path: Path) -> None:
    file = written(tmp_path / 'r.json', {})
    for done in (validate(tmp_path / 'absent.json'),
                 validate(file, dataroot=tmp_path / 'nowhere')):
        assert (done.returncode, done.stdout) == (2, '')
        assert done.stderr.startswith('error: ') and done.stderr.count('\n') == 1


def test_ground_truth_of_a_whole_split_exits_with_0_and_of_a_poor_one_with_1(
        gemini3d: Callable[..., Done], root: Path) -> None:
    arguments = ('--dataroot', root, '--version', VERSION, '--split')
    good = gemini3d('score-ground-truth', *arguments, 'mini_val', 'night')
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith('mini_val     mAP 1.000000  NDS 1.000000  mATE 0.000000')
    poor = gemini3d('score-ground-truth', *arguments, 'mini_train')
    assert poor.returncode == 1
    assert 'mAVE 1.000000' in poor.stdout


@pytest.fixture
def export(gemini3d: Callable[..., Done], root: Path, tmp_path: Path) -> Callable[..., Done]:
    """Exports predictions of mini_val to `submission`."""
    infos = write_infos(tmp_path / 'geminifusion3d_infos_mini_val.pkl')
    config = tmp_path / 'config.py'
    config.write_text(f'modality = {META}\ntest_dataloader = dict(dataset=dict('
                      f'data_root={str(root)!r}, ann_file={str(infos)!r}))\n')

    def run_export(*arguments: Any) -> Done:
        return gemini3d('export', config, *arguments, '--split', 'val', '--out', tmp_path / 'submission')
    return run_export


def test_predictions_become_a_submission(export: Callable[..., Done], tmp_path: Path) -> None:
    predictions = written(tmp_path / 'predictions.json', perfect_submission())
    done = export('--predictions', predictions)
    assert done.returncode == 0, done.stderr
    assert 'valid, 2 samples, 20 boxes, track open' in done.stdout
    out = tmp_path / 'submission'
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert sorted(before) == ['provenance.json', 'results_nusc.json', 'results_nusc.zip']
    provenance = json.loads(before['provenance.json'])
    assert provenance['predictions']['path'] == str(predictions) and provenance['checkpoint'] is None
    assert [file['bytes'] for file in provenance['files']] == [
        len(before['results_nusc.json']), len(before['results_nusc.zip'])]
    export('--predictions', predictions)
    assert {name: (out / name).read_bytes() for name in before if name.startswith('results')} == {
        name: content for name, content in before.items() if name.startswith('results')}


def test_what_a_test_run_recorded_is_taken_over_and_what_the_user_says_comes_first(
        export: Callable[..., Done], tmp_path: Path) -> None:
    predictions = written(tmp_path / 'results_nusc.json', perfect_submission())
    checkpoint = {'path': 'a.pth', 'sha256': 'f00', 'bytes': 1}
    written(tmp_path / 'test_run.json', {
        'results': {'sha256': hashlib.sha256(predictions.read_bytes()).hexdigest()}, 'checkpoint': checkpoint,
        'test_time_augmentation': ['flip'], 'inference': {
            'fps_hz': 3.0, 'samples': 2, 'includes': 'network', 'processes': 8,
            'hardware': {'gpu': 'GPU 80GB', 'cpu': 'CPU', 'cpu_threads': 1}}})
    assert export('--predictions', predictions).returncode == 0
    provenance = json.loads((tmp_path / 'submission' / 'provenance.json').read_text())
    assert provenance['checkpoint'] == checkpoint and provenance['test_time_augmentation'] == ['flip']
    assert provenance['inference']['processes'] == 8
    (tmp_path / 'b.pth').write_text('weights')
    assert export(tmp_path / 'b.pth', '--predictions', predictions, '--tta', 'scale').returncode == 0
    provenance = json.loads((tmp_path / 'submission' / 'provenance.json').read_text())
    assert provenance['checkpoint']['path'] == str(tmp_path / 'b.pth')
    assert provenance['test_time_augmentation'] == ['scale']


def test_files_get_the_names_that_are_asked_for(export: Callable[..., Done], tmp_path: Path) -> None:
    predictions = written(tmp_path / 'predictions.json', perfect_submission())
    done = export('--predictions', predictions, '--json-name', 'team.json', '--zip-name', '2026.zip')
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / 'submission').iterdir()) == [
        '2026.zip', 'provenance.json', 'team.json']


@pytest.mark.parametrize('arguments, message', [
    ((), 'got neither CHECKPOINT nor --predictions; give a model to run or its results'),
    (('absent.pth', ), 'checkpoint absent.pth is not a file here; give the path of a .pth file'),
    (('--predictions', 'absent.json'), 'absent.json is not a file; give a results JSON'),
    (('--predictions', 'a.json', '--json-name', 'a/b.json'), "got 'a/b.json' as name of the json file"),
    (('--predictions', '{perfect}', '--tta', 'flop'), "--tta got 'flop'; expected some of flip")])
def test_a_mistake_in_an_export_is_one_line_and_nothing_is_written(
        export: Callable[..., Done], tmp_path: Path, arguments: tuple, message: str) -> None:
    perfect = written(tmp_path / 'perfect.json', perfect_submission())
    done = export(*(argument.replace('{perfect}', str(perfect)) for argument in arguments))
    assert done.returncode == 2
    assert done.stderr.startswith(f'error: {message}') and done.stderr.count('\n') == 1
    assert not (tmp_path / 'submission').exists()


def test_what_the_run_recorded_need_not_be_said_again(
        gemini3d: Callable[..., Done], root: Path, tmp_path: Path) -> None:
    results = written(tmp_path / 'results_nusc.json', perfect_submission())
    missing = gemini3d('evaluate', 'score', results, '--dataroot', root)
    assert missing.returncode == 2 and missing.stderr.startswith('error: got no --split, expected one of')
    written(tmp_path / 'test_run.json', {'dataset': {'dataroot': str(root), 'version': VERSION,
                                                     'split': 'mini_val'}})
    scored = gemini3d('evaluate', 'score', results)
    assert scored.returncode == 0, scored.stderr
    assert 'mAP 1.0000   NDS 1.0000' in scored.stdout
    assert gemini3d('validate', results).returncode == 0
    other = gemini3d('evaluate', 'score', results, '--split', 'mini_train')
    assert other.returncode == 2 and 'is no valid submission of' in other.stderr


def test_breakdown_prints_a_line_a_bin_and_writes_every_class(
        gemini3d: Callable[..., Done], root: Path, tmp_path: Path) -> None:
    results = written(tmp_path / 'results_nusc.json', perfect_submission())
    done = gemini3d('evaluate', 'breakdown', results, '--dataroot', root, '--split', 'mini_val',
                    '--resamples', 5, '--json', tmp_path / 'breakdown.json')
    assert done.returncode == 0, done.stderr
    whole = next(line for line in done.stdout.splitlines() if line.startswith('  all'))
    assert whole.split()[:4] == ['all', '20', '1.000', '1.000'] and '[1.000, 1.000]' in whole
    content = json.loads((tmp_path / 'breakdown.json').read_text())
    assert len(content['questions'][0]['bins'][0]['classes']) == 10


def test_breakdown_of_a_broken_file_names_the_rule(
        gemini3d: Callable[..., Done], root: Path, tmp_path: Path) -> None:
    submission = perfect_submission()
    del submission['meta']['use_map']
    done = gemini3d('evaluate', 'breakdown', written(tmp_path / 'r.json', submission), '--dataroot', root,
                    '--version', VERSION, '--split', 'mini_val')
    assert done.returncode == 2 and 'use_map' in done.stderr
