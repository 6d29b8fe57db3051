"""What is said about the origin of a submission is what a reader can check: hashes, commits, versions."""
import hashlib
import json
import subprocess
from pathlib import Path

import pytest
from mmengine.config import Config

from geminifusion3d.atomic import write_json
from geminifusion3d.errors import UserError
from geminifusion3d.results.run_record import made_with
from geminifusion3d.submission.provenance import (check_recorded, code_facts, config_facts, describe,
                                                  ensemble_facts, file_facts, package_versions,
                                                  past_lidar_sweeps)

ENSEMBLE = {'method': 'fusion', 'files': [{'path': 'a.json', 'sha256': '0', 'weight': 1}]}


def git(folder: Path, *arguments: str) -> str:
    """Runs git as somebody."""
    return subprocess.run(
        ['git', '-C', str(folder), '-c', 'user.name=a', '-c', 'user.email=a@b', *arguments], check=True,
        capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one committed file in a folder."""
    folder = tmp_path / 'repository' / 'code'
    folder.mkdir(parents=True)
    git(folder.parent, 'init', '-q')
    (folder / 'a.py').write_text('1')
    git(folder.parent, 'add', 'code')
    git(folder.parent, 'commit', '-q', '-m', 'first')
    return folder


def test_a_file_is_told_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / 'a.pth').write_bytes(b'weights')
    assert file_facts(tmp_path / 'a.pth') == {
        'path': str(tmp_path / 'a.pth'), 'bytes': 7, 'sha256': hashlib.sha256(b'weights').hexdigest()}


def test_the_hash_of_a_config_follows_its_base_files_and_overrides(tmp_path: Path) -> None:
    base, path = tmp_path / 'base.py', tmp_path / 'config.py'
    base.write_text('a = 1')
    path.write_text("_base_ = ['./base.py']")
    first, again = (config_facts(Config.fromfile(path).pretty_text, 'config.py') for _ in range(2))
    assert first == again and first['path'] == 'config.py'
    overridden = Config.fromfile(path)
    overridden.merge_from_dict({'a': 3})
    base.write_text('a = 2')
    changed = Config.fromfile(path)
    hashes = {config_facts(cfg.pretty_text, '')['sha256_of_text'] for cfg in (overridden, changed)}
    assert len(hashes | {first['sha256_of_text']}) == 3


def test_the_code_is_a_commit_and_whether_files_differ_from_it(checkout: Path) -> None:
    commit = git(checkout, 'rev-parse', 'HEAD')
    assert code_facts(checkout) == {'commit': commit, 'is_dirty': False}
    (checkout / 'log.txt').write_text('nobody asked for this file')
    assert code_facts(checkout) == {'commit': commit, 'is_dirty': False}
    (checkout / 'a.py').write_text('2')
    assert code_facts(checkout) == {'commit': commit, 'is_dirty': True}


def test_code_that_is_in_no_checkout_or_only_lies_in_one_has_no_commit(checkout: Path, tmp_path: Path
                                                                       ) -> None:
    (tmp_path / 'elsewhere').mkdir()
    assert code_facts(tmp_path / 'elsewhere') is None
    installed = checkout.parent / 'venv' / 'site-packages'
    installed.mkdir(parents=True)
    (installed / 'a.py').write_text('1')
    assert code_facts(installed) is None
    assert code_facts(tmp_path / 'absent') is None


def test_versions_of_what_is_installed_are_listed() -> None:
    versions = package_versions(['torch', 'no-such-package'])
    assert set(versions) == {'python', 'torch'} and versions['torch'].startswith('2.')


def test_sweeps_are_found_inside_other_steps() -> None:
    def past(*steps: dict) -> object:
        return past_lidar_sweeps({'test_dataloader': {'dataset': {'pipeline': list(steps)}}})
    points = {'type': 'GeminiLoadPoints', 'sweeps_num': 9}
    assert past(points, {'type': 'Pack3DDetInputs'}) == 9
    assert past({'type': 'Cached', 'steps': [points]}) == 9
    assert past({'type': 'TestTimeAug', 'transforms': [[{'type': 'Flip'}], [points]]}) == 9
    assert past({'type': 'GeminiLoadPoints'}) == 0
    assert past({'type': 'GeminiLoadImages'}) is None
    assert past_lidar_sweeps({'test_dataloader': {'dataset': {}}}) is None


def test_what_made_an_ensemble_is_read_beside_it(tmp_path: Path) -> None:
    assert ensemble_facts(None) is None
    assert ensemble_facts(tmp_path / 'results_nusc.json') is None
    (tmp_path / 'ensemble.json').write_text(json.dumps(ENSEMBLE))
    assert ensemble_facts(tmp_path / 'results_nusc.json') == ENSEMBLE


@pytest.mark.parametrize('text', ['{', '[]', '{"method": "x"}', '{"method": "x", "files": []}'])
def test_a_broken_record_of_an_ensemble_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / 'ensemble.json').write_text(text)
    with pytest.raises(UserError, match='ensemble.json is not what gemini3d ensemble writes'):
        ensemble_facts(tmp_path / 'results_nusc.json')


def test_everything_that_the_organisers_ask_is_there_and_is_strict_json(tmp_path: Path) -> None:
    for name in ('r.json', 'r.zip', 'p.json', 'w.pth'):
        (tmp_path / name).write_text(name)
    content = describe(
        facts={'version': 'v1.0-test', 'split': 'test', 'config': {}, 'external_data': {}},
        made=made_with(tmp_path / 'w.pth', ['flip'], {'fps_hz': 2.0}), meta={'use_camera': True},
        files=[tmp_path / 'r.json', tmp_path / 'r.zip'], predictions=tmp_path / 'p.json',
        verdict={'track': 'open', 'samples': 2, 'boxes': 3, 'valid': True})
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert [file['path'] for file in content['files']] == [str(tmp_path / 'r.json'), str(tmp_path / 'r.zip')]
    assert content['checkpoint']['sha256'] == hashlib.sha256(b'w.pth').hexdigest()
    assert content['predictions']['sha256'] == hashlib.sha256(b'p.json').hexdigest()
    assert content['test_time_augmentation'] == ['flip'] and content['ensemble'] is None
    assert [content[name] for name in ('split', 'samples', 'boxes', 'track')] == ['test', 2, 3, 'open']
    assert content['date'].endswith('+00:00') and 'torch' in content['packages']


def test_a_file_that_is_not_the_one_its_record_is_about_is_refused(tmp_path: Path) -> None:
    results, scores, zipped = (tmp_path / name for name in ('r.json', 'metrics.json', 'r.zip'))
    for path in (results, scores, zipped):
        path.write_text('1')
    write_json(tmp_path / 'test_run.json', {'results': file_facts(results), 'scores': [file_facts(scores)]},
               sealed=True)
    write_json(tmp_path / 'provenance.json', {'files': [file_facts(zipped)]}, sealed=True)
    # What went into an ensemble may be called like what came out.
    write_json(tmp_path / 'ensemble.json', {'files': [{'path': 'a/r.json', 'sha256': '0'}]}, sealed=True)
    for path in (results, scores, zipped):
        check_recorded(path)
        path.write_text('2')
        with pytest.raises(UserError, match='its SHA-256 differs'):
            check_recorded(path)
        path.write_text('1')
    record = tmp_path / 'test_run.json'
    record.write_text(record.read_text().replace('r.json', 's.json'))
    with pytest.raises(UserError, match='test_run.json is not what was written beside r.json'):
        check_recorded(results)
