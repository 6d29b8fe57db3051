"""Every way to spoil a submission that we know of: each is refused by its rule, at its place, in words."""
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ten_objects import TRAIN_TOKEN, VAL_TOKENS, perfect_submission

from geminifusion3d.submission.split_samples import SplitSamples
from geminifusion3d.submission.validation import Verdict, validate_file

Content = Dict[str, Any]
NAN, INF = float('nan'), float('inf')
TOKEN = VAL_TOKENS[0]
SAMPLE = f'results.{TOKEN}'
PLACE = f'{SAMPLE}[0]'


def box(**fields: Any) -> Callable[[Content], None]:
    """Changes a field of the first box, a car."""
    def change(content: Content) -> None:
        content['results'][TOKEN][0].update(fields)
    change.place = f'{PLACE}.{next(iter(fields))}'
    return change


def meta(**flags: Any) -> Callable[[Content], None]:
    """Changes a meta flag."""
    def change(content: Content) -> None:
        content['meta'].update(flags)
    change.place = f'meta.{next(iter(flags))}'
    return change


def many_boxes(content: Content) -> None:
    """One box over the limit."""
    content['results'][TOKEN] = [dict(content['results'][TOKEN][0], size=[2.0, 4.0, 1.0 + i / 501])
                                 for i in range(501)]


ERRORS = {
    'flag missing': (lambda c: c['meta'].pop('use_external'), 'meta-missing-flag', ''),
    'flag as number': (meta(use_lidar=1), 'meta-flag-type', ''),
    'flag as string': (meta(use_lidar='true'), 'meta-flag-type', ''),
    'unknown flag': (meta(use_sonar=False), 'meta-unknown-flag', ''),
    'meta as list': (lambda c: c.update(meta=[]), 'meta-type', ''),
    'no meta': (lambda c: c.pop('meta'), 'top-level', ''),
    'no results': (lambda c: c.pop('results'), 'top-level', ''),
    'extra top-level key': (lambda c: c.update(version=1), 'top-level', ''),
    'results as list': (lambda c: c.update(results=[]), 'results-type', ''),
    'sample missing': (lambda c: c['results'].pop(TOKEN), 'missing-sample', TOKEN),
    'sample of another split': (lambda c: c['results'].update({TRAIN_TOKEN: []}),
                                'unknown-sample', TRAIN_TOKEN),
    'sample as object': (lambda c: c['results'].update({TOKEN: {}}), 'sample-type', TOKEN),
    '501 boxes': (many_boxes, 'too-many-boxes', TOKEN),
    'box as list': (lambda c: c['results'][TOKEN].append([]), 'record-type', TOKEN),
    'field missing': (lambda c: c['results'][TOKEN][0].pop('velocity'), 'missing-field', TOKEN),
    'smuggled field': (box(num_pts=5), 'unknown-field', TOKEN),
    'token of another sample': (box(sample_token=VAL_TOKENS[1]), 'sample-token-mismatch', TOKEN),
    'token as number': (box(sample_token=7), 'string-type', TOKEN),
    'translation of two': (box(translation=[1.0, 2.0]), 'vector-length', TOKEN),
    'translation as string': (box(translation='1 2 3'), 'vector-length', TOKEN),
    'translation NaN': (box(translation=[NAN, 200.0, 1.0]), 'not-finite', TOKEN),
    'translation of a true': (box(translation=[100.0, 200.0, True]), 'number-type', TOKEN),
    'box in the LiDAR frame': (box(translation=[6.0, 2.0, 1.0]), 'far-from-ego', TOKEN),
    'size zero': (box(size=[0.0, 4.0, 1.5]), 'size-not-positive', TOKEN),
    'size negative': (box(size=[2.0, -4.0, 1.5]), 'size-not-positive', TOKEN),
    'size infinite': (box(size=[2.0, INF, 1.5]), 'not-finite', TOKEN),
    'size a huge integer': (box(size=[2, 10**400, 1]), 'not-finite', TOKEN),
    'quaternion zero': (box(rotation=[0.0, 0.0, 0.0, 0.0]), 'quaternion-norm', TOKEN),
    'quaternion not unit': (box(rotation=[1.0, 0.0, 0.0, 0.1]), 'quaternion-norm', TOKEN),
    'rotation as yaw': (box(rotation=0.4), 'vector-length', TOKEN),
    'velocity NaN': (box(velocity=[NAN, NAN]), 'not-finite', TOKEN),
    'velocity of three': (box(velocity=[1.0, 0.0, 0.0]), 'vector-length', TOKEN),
    'velocity null': (box(velocity=None), 'vector-length', TOKEN),
    'class unknown': (box(detection_name='tram'), 'unknown-class', TOKEN),
    'class null': (box(detection_name=None), 'unknown-class', TOKEN),
    'score above one': (box(detection_score=1.01), 'score-range', TOKEN),
    'score negative': (box(detection_score=-0.5), 'score-range', TOKEN),
    'score as string': (box(detection_score='0.5'), 'score-type', TOKEN),
    'score true': (box(detection_score=True), 'score-type', TOKEN),
    'score infinite': (box(detection_score=INF), 'not-finite', TOKEN),
    'attribute of a pedestrian': (box(attribute_name='pedestrian.moving'),
                                  'attribute-of-class', TOKEN),
    'attribute empty for a car': (box(attribute_name=''), 'attribute-of-class', TOKEN),
    'attribute on a cone': (box(detection_name='traffic_cone'), 'attribute-of-class', TOKEN),
    'attribute null': (box(attribute_name=None), 'string-type', TOKEN),
    'attribute that does not exist': (box(attribute_name='vehicle.flying'), 'attribute-of-class', TOKEN),
    'attribute missing': (lambda c: c['results'][TOKEN][0].pop('attribute_name'), 'missing-field', TOKEN),
    'token missing': (lambda c: c['results'][TOKEN][0].pop('sample_token'), 'missing-field', TOKEN),
    'score missing': (lambda c: c['results'][TOKEN][0].pop('detection_score'), 'missing-field', TOKEN),
    'score null': (box(detection_score=None), 'score-type', TOKEN),
    'score NaN': (box(detection_score=NAN), 'not-finite', TOKEN),
    'score as list': (box(detection_score=[0.5]), 'score-type', TOKEN),
    'smuggled position': (box(ego_translation=[0.0, 0.0, 0.0]), 'unknown-field', TOKEN),
    'translation infinite': (box(translation=[106.0, 200.0, -INF]), 'not-finite', TOKEN),
    'translation of numbers in quotes': (box(translation=['106', '182', '1']), 'number-type', TOKEN),
    'translation as object': (box(translation={'x': 106.0}), 'vector-length', TOKEN),
    'box in the ego frame': (box(translation=[-2.0, 6.0, 1.0]), 'far-from-ego', TOKEN),
    'box above the limit of distance': (box(translation=[100.0, 310.01, 1.0]), 'far-from-ego', TOKEN),
    'size of two': (box(size=[2.0, 4.0]), 'vector-length', TOKEN),
    'size NaN': (box(size=[2.0, NAN, 1.5]), 'not-finite', TOKEN),
    'size null': (box(size=[2.0, None, 1.5]), 'number-type', TOKEN),
    'rotation NaN': (box(rotation=[NAN, 0.0, 0.0, 0.0]), 'not-finite', TOKEN),
    'rotation of three angles': (box(rotation=[0.0, 0.0, 0.4]), 'vector-length', TOKEN),
    'rotation as a matrix': (box(rotation=[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]]),
                             'number-type', TOKEN),
    'velocity infinite': (box(velocity=[INF, 0.0]), 'not-finite', TOKEN),
    'velocity in quotes': (box(velocity=['1', '0']), 'number-type', TOKEN),
    'velocity as speed': (box(velocity=3.0), 'vector-length', TOKEN),
    'class in capitals': (box(detection_name='Car'), 'unknown-class', TOKEN),
    'class as label': (box(detection_name=0), 'unknown-class', TOKEN),
    'class of the general list': (box(detection_name='vehicle.car'), 'unknown-class', TOKEN),
    'flag null': (meta(use_map=None), 'meta-flag-type', ''),
    'meta null': (lambda c: c.update(meta=None), 'meta-type', ''),
    'results null': (lambda c: c.update(results=None), 'results-type', ''),
    'no sample at all': (lambda c: c.update(results={}), 'missing-sample', TOKEN),
    'sample as null': (lambda c: c['results'].update({TOKEN: None}), 'sample-type', TOKEN),
    'sample as one box': (lambda c: c['results'].update({TOKEN: c['results'][TOKEN][0]}),
                          'sample-type', TOKEN),
    'box null': (lambda c: c['results'][TOKEN].append(None), 'record-type', TOKEN),
    'box as string': (lambda c: c['results'][TOKEN].append('car'), 'record-type', TOKEN),
}
# Where, if it is not the field that was changed.
PLACES = {
    'flag missing': 'meta.use_external', 'meta as list': 'meta', 'no meta': 'meta', 'no results': 'results',
    'extra top-level key': 'version', 'results as list': 'results', 'sample missing': 'results',
    'sample of another split': f'results.{TRAIN_TOKEN}', 'sample as object': SAMPLE, '501 boxes': SAMPLE,
    'box as list': f'{SAMPLE}[10]', 'field missing': PLACE, 'smuggled field': PLACE,
    'attribute on a cone': f'{PLACE}.attribute_name', 'attribute missing': PLACE, 'token missing': PLACE,
    'score missing': PLACE, 'smuggled position': PLACE, 'meta null': 'meta', 'results null': 'results',
    'no sample at all': 'results', 'sample as null': SAMPLE, 'sample as one box': SAMPLE,
    'box null': f'{SAMPLE}[10]', 'box as string': f'{SAMPLE}[10]'}
# What the message of a broken rule must say beside what was got.
MESSAGES = {
    'top-level': 'expected exactly meta and results', 'meta-missing-flag': 'expected true or false',
    'meta-flag-type': 'expected true or false', 'meta-unknown-flag': 'expected exactly use_camera',
    'meta-type': 'expected an object of five flags', 'results-type': 'that maps sample tokens to lists',
    'missing-sample': 'no results for this sample of mini_val', 'unknown-sample': 'not in split mini_val',
    'sample-type': 'expected a list of boxes', 'too-many-boxes': 'got 501 boxes, expected at most 500',
    'record-type': 'expected an object with the fields sample_token, translation',
    'missing-field': 'is missing', 'unknown-field': 'expected exactly sample_token, translation',
    'sample-token-mismatch': 'expected the same token', 'string-type': 'expected a string',
    'vector-length': 'expected a list of', 'not-finite': 'expected', 'number-type': 'finite numbers',
    'far-from-ego': 'm from the ego vehicle, expected at most 110 m',
    'size-not-positive': 'expected width, length, height above 0 m',
    'quaternion-norm': 'expected a unit quaternion w, x, y, z', 'unknown-class': 'expected one of car, truck',
    'score-range': 'expected a number in [0, 1]', 'score-type': 'expected a number in [0, 1]',
    'attribute-of-class': 'for a '}


def place_of(name: str) -> str:
    """Returns where a corruption must be found."""
    return PLACES[name] if name in PLACES else ERRORS[name][0].place


def spoilt(name: str) -> Content:
    """Returns a corrupted submission."""
    content = perfect_submission()
    ERRORS[name][0](content)
    return content


@pytest.mark.parametrize('name', ERRORS)
def test_a_corrupted_submission_is_invalid(
        judge: Callable[[Any], Verdict], name: str) -> None:
    _, rule, token = ERRORS[name]
    verdict = judge(spoilt(name))
    assert not verdict.is_valid
    found = next(finding for finding in verdict.findings if finding.rule == rule)
    assert (found.severity, found.sample_token) == ('error', token)
    assert found.field == place_of(name)
    assert MESSAGES[rule] in found.message
    # Each corruption breaks one rule; JSON without NaN and infinity is another one.
    assert {finding.rule for finding in verdict.findings} <= {rule, 'json-constant'}


@pytest.mark.parametrize('text, rule', [
    ('', 'not-json'), ('{"meta": ', 'not-json'), ('null', 'top-level'), ('{}', 'top-level'),
    ('[]', 'top-level'), ('[' * 100000, 'not-json'),
    ('{"meta": {}, "results": {"a": [], "a": []}}', 'duplicate-key'),
    ('{"meta": {}, "results": {"a": [{"size": 1, "size": 2}]}}', 'duplicate-key'),
    ('{"meta": {}, "results": {}, "meta": {}}', 'duplicate-key'),
    ('{"meta": {}, "results": {}, "results": {}}', 'duplicate-key'),
    ('{"meta": {"use_map": true, "use_map": true}, "results": {}}', 'duplicate-key'),
    ('{"meta": {}, "results": {}} {}', 'not-json'), ('{"meta": {}, "results": {"a": []}', 'not-json'),
    ("{'meta': {}, 'results': {}}", 'not-json'), ('{"meta": {}, "results": {"a": [],}}', 'not-json'),
    ('\ufeff{"meta": {}, "results": {}}', 'not-json'),
    ('{"meta": {"use_map": -Infinity}, "results": {}}', 'json-constant')])
def test_text_that_is_not_strict_json_is_invalid(
        judge: Callable[[Any], Verdict], text: str, rule: str) -> None:
    verdict = judge(text)
    assert not verdict.is_valid
    assert rule in {finding.rule for finding in verdict.findings}


def zip_of(path: Path, **members: str) -> Path:
    """Writes a zip; `__` in a name stands for a folder."""
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in members.items():
            archive.writestr(name.replace('__', '/') + '.json', text)
    return path


@pytest.mark.parametrize('members', [
    {}, {'a': '{}', 'b': '{}'}, {'folder__a': '{}'}], ids=['none', 'two', 'in a folder'])
def test_a_zip_without_exactly_one_json_at_its_root_is_invalid(
        split: SplitSamples, tmp_path: Path, members: Dict[str, str]) -> None:
    verdict = validate_file(zip_of(tmp_path / 'r.zip', **members), split)
    assert [finding.rule for finding in verdict.findings] == ['zip-content']
    assert not verdict.is_valid


def test_a_broken_zip_is_invalid(split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    path = zip_of(tmp_path / 'r.zip', r=json.dumps(perfect))
    path.write_bytes(path.read_bytes()[:200])
    assert [finding.rule for finding in validate_file(path, split).findings] == ['zip-unreadable']


def test_an_encrypted_zip_is_invalid(split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    path = zip_of(tmp_path / 'r.zip', r=json.dumps(perfect))
    # Bit 0 of the flags, in the entry's own header and in the directory at the end of the zip.
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b'PK\x01\x02') + 8] |= 1
    path.write_bytes(content)
    found = validate_file(path, split).findings
    assert [finding.rule for finding in found] == ['zip-unreadable'] and 'encrypted' in found[0].message


def test_a_spoilt_byte_in_a_zip_is_noticed(split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    path = zip_of(tmp_path / 'r.zip', r=json.dumps(perfect))
    content = path.read_bytes()
    path.write_bytes(content.replace(b'0.9', b'0.8', 1))
    found = validate_file(path, split).findings
    assert [finding.rule for finding in found] == ['zip-unreadable'] and 'CRC' in found[0].message


def test_more_than_forty_ways_are_tried() -> None:
    assert len(ERRORS) == len({(rule, place_of(name), json.dumps(spoilt(name))) for name, (_, rule, _)
                               in ERRORS.items()}) >= 40
