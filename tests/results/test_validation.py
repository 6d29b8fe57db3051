"""The validator: a good file passes, every corruption is found with its rule, sample and field."""
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ten_objects import TRAIN_TOKEN, VAL_TOKENS, VERSION

from geminifusion3d.results.split_samples import SplitSamples, read_split_samples
from geminifusion3d.results.validation import Verdict, validate_file

Content = Dict[str, Any]
NAN, INF = float('nan'), float('inf')
TOKEN = VAL_TOKENS[0]
PLACE = f'results.{TOKEN}[0]'


@pytest.fixture(scope='module')
def split(tiny_root: Path) -> SplitSamples:
    """The two samples of mini_val."""
    return read_split_samples(data_root=tiny_root, version=VERSION, split='mini_val')


@pytest.fixture
def judge(split: SplitSamples, tmp_path: Path) -> Callable[[Any], Verdict]:
    """Writes content to a file and validates it."""
    def write_and_judge(content: Any) -> Verdict:
        path = tmp_path / 'r.json'
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return validate_file(path, split)
    return write_and_judge


def test_a_good_submission_is_valid_without_a_remark(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    verdict = judge(perfect)
    assert verdict == Verdict(findings=(), n_samples=2, n_boxes=20, track='open')
    assert verdict.is_valid


def test_empty_lists_are_valid(judge: Callable[[Any], Verdict], perfect: Content) -> None:
    assert judge({**perfect, 'results': {token: [] for token in VAL_TOKENS}}).is_valid


def box(**fields: Any) -> Callable[[Content], None]:
    """Changes fields of the first box, a car."""
    return lambda content: content['results'][TOKEN][0].update(fields)


def meta(**flags: Any) -> Callable[[Content], None]:
    """Changes meta flags."""
    return lambda content: content['meta'].update(flags)


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
}


@pytest.mark.parametrize('name', ERRORS)
def test_a_corrupted_submission_is_invalid(
        judge: Callable[[Any], Verdict], perfect: Content, name: str) -> None:
    change, rule, token = ERRORS[name]
    change(perfect)
    verdict = judge(perfect)
    assert not verdict.is_valid
    found = [finding for finding in verdict.findings if finding.rule == rule]
    assert found and found[0].severity == 'error' and found[0].sample_token == token
    # Each corruption breaks one rule; JSON without NaN and infinity is another one.
    assert {finding.rule for finding in verdict.findings} <= {rule, 'json-constant'}


@pytest.mark.parametrize('change, rule', [
    (box(velocity=[50.0, 40.0]), 'fast-box'), (box(detection_score=0), 'score-zero'),
    (box(rotation=[0.0, 1.0, 0.0, 0.0]), 'tilted-box'),
    (lambda c: c['results'][TOKEN].append(dict(c['results'][TOKEN][0])), 'duplicate-box'),
    (meta(use_camera=False, use_lidar=False), 'meta-no-sensor')])
def test_what_is_odd_but_allowed_is_a_warning(
        judge: Callable[[Any], Verdict], perfect: Content, change: Callable, rule: str) -> None:
    change(perfect)
    verdict = judge(perfect)
    assert verdict.is_valid
    assert [(found.severity, found.rule) for found in verdict.findings] == [('warning', rule)]


def test_a_finding_names_the_place_and_what_was_expected(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    box(size=[2.0, 0.0, 1.5])(perfect)
    assert str(judge(perfect).findings[0]) == (
        f'error [size-not-positive] sample {TOKEN} {PLACE}.size: got [2.0, 0.0, 1.5], expected '
        'width, length, height above 0 m')


@pytest.mark.parametrize('text, rule', [
    ('', 'not-json'), ('{"meta": ', 'not-json'), ('null', 'top-level'), ('[' * 100000, 'not-json'),
    ('{"meta": {}, "results": {"a": [], "a": []}}', 'duplicate-key'),
    ('{"meta": {}, "results": {"a": [{"size": 1, "size": 2}]}}', 'duplicate-key'),
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


def test_a_zip_with_the_json_at_its_root_is_judged_like_the_json(
        split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    assert validate_file(zip_of(tmp_path / 'r.zip', any_name=json.dumps(perfect)), split).is_valid


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


@pytest.mark.parametrize('flags, track', [
    ({'use_camera': False}, 'lidar'), ({'use_lidar': False}, 'vision'), ({}, 'open'),
    ({'use_camera': False, 'use_external': True}, 'open')])
def test_the_track_follows_from_the_flags(
        judge: Callable[[Any], Verdict], perfect: Content, flags: Dict[str, bool], track: str
        ) -> None:
    meta(**flags)(perfect)
    assert judge(perfect).track == track
