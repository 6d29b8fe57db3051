"""The e-mail says what is known, and marks what only the authors know."""
import copy
import re

import pytest

from geminifusion3d.submission.submission_email import UNKNOWN, email_text

KNOWN = {
    'version': 'v1.0-test', 'split': 'test', 'track': 'open', 'samples': 6008, 'boxes': 99, 'valid': True,
    'meta': {'use_camera': True, 'use_lidar': True, 'use_radar': False, 'use_map': False,
             'use_external': False},
    'external_data': {'used': False, 'reason': ''}, 'past_lidar_sweeps': 9, 'test_time_augmentation': [],
    'ensemble': None, 'code': {'commit': 'abc', 'is_dirty': False},
    'inference': {'fps_hz': 7.125, 'samples': 6003, 'includes': 'network',
                  'hardware': {'gpu': 'GPU 80GB', 'cpu': '2 x CPU', 'cpu_threads': 1}},
    'config': {'path': 'configs/a.py', 'sha256_of_text': 'c0'},
    'checkpoint': {'path': 'w.pth', 'sha256': 'f00', 'bytes': 1},
    'files': [{'path': 'out/r.zip', 'sha256': '1e', 'bytes': 1}]}


def lines(**changes: object) -> dict:
    """Returns the e-mail's lines by what stands before the colon."""
    text = email_text({**copy.deepcopy(KNOWN), **changes})
    return dict(re.findall(r'^([^:\n]+): (.*)$', text, re.MULTILINE))


def test_what_is_known_is_filled_in() -> None:
    found = lines()
    assert found['Track'] == 'open'
    assert found['Sensors at test time'] == 'camera and lidar (9 past LiDAR sweeps)'
    assert (found['Map data'], found['External data']) == ('no', 'no')
    assert (found['Test-time augmentation'], found['Ensembling']) == ('none', 'none')
    assert found['Speed'] == '7.12 Hz (6,003 samples; network)'
    assert (found['Hardware'], found['Code']) == ('GPU 80GB', 'abc')
    assert (found['Config'], found['Checkpoint']) == ('a.py sha256 c0', 'w.pth sha256 f00')
    assert found['Submission'] == '6,008 samples, 99 boxes'
    assert '\nr.zip sha256 1e' in email_text(KNOWN)


def test_what_was_done_besides_is_told() -> None:
    found = lines(
        external_data={'used': True, 'reason': 'backbone of nuImages'}, past_lidar_sweeps=None,
        test_time_augmentation=['flip', 'rotate=6,-6'], code={'commit': 'abc', 'is_dirty': True},
        ensemble={'method': 'box fusion', 'files': [{}, {}, {}]})
    assert found['External data'] == 'yes: backbone of nuImages'
    assert found['Sensors at test time'] == 'camera and lidar'
    assert found['Test-time augmentation'] == 'flip rotate=6,-6'
    assert found['Ensembling'] == '3 result files, box fusion'
    assert found['Code'] == 'abc with uncommitted changes'


def test_a_machine_without_a_gpu_is_named_by_its_processor() -> None:
    inference = copy.deepcopy(KNOWN['inference'])
    inference['hardware']['gpu'] = None
    assert lines(inference=inference)['Hardware'] == 'no GPU; 2 x CPU, 1 thread'


def test_the_speed_of_several_processes_is_that_of_each() -> None:
    assert lines(inference={**KNOWN['inference'], 'processes': 8})['Speed'] == (
        '7.12 Hz (each of 8 processes; 6,003 samples; network)')


@pytest.mark.parametrize('field, names', [
    ('inference', ['Speed', 'Hardware']), ('code', ['Code']), ('checkpoint', ['Checkpoint'])])
def test_what_is_not_known_is_marked(field: str, names: list) -> None:
    found = lines(**{field: None})
    assert all(found[name] == UNKNOWN for name in names)


def test_what_the_organisers_ask_besides_is_left_to_the_authors() -> None:
    text = email_text(KNOWN)
    assert text.startswith('To: nuScenes@motional.com\n')
    for wish in ('TEAM', 'METHOD', 'AUTHORS', 'AFFILIATIONS', 'FIVE SENTENCES OR MORE', 'URL or none'):
        assert f'[{wish}' in text
