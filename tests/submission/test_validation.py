"""The validator: good files pass, oddities are warnings, long files take little memory.

What is wrong and how that is said: test_corrupted_submissions.
"""
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import pytest
from large_submission import SPLIT as LARGE_SPLIT
from large_submission import VERSION as LARGE_VERSION
from large_submission import write_large
from ten_objects import VAL_TOKENS

from geminifusion3d.submission.split_samples import SplitSamples, read_split_samples
from geminifusion3d.submission.validation import Verdict, validate_file

Content = Dict[str, Any]
TOKEN = VAL_TOKENS[0]
PLACE = f'results.{TOKEN}[0]'


def test_a_good_submission_is_valid_without_a_remark(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    verdict = judge(perfect)
    assert verdict == Verdict(findings=(), n_samples=2, n_boxes=20, track='open')
    assert verdict.is_valid


def test_an_empty_list_is_valid(judge: Callable[[Any], Verdict], perfect: Content) -> None:
    perfect['results'][TOKEN] = []
    assert judge(perfect) == Verdict(findings=(), n_samples=2, n_boxes=10, track='open')


def box(**fields: Any) -> Callable[[Content], None]:
    """Changes fields of the first box, a car."""
    return lambda content: content['results'][TOKEN][0].update(fields)


def meta(**flags: Any) -> Callable[[Content], None]:
    """Changes meta flags."""
    return lambda content: content['meta'].update(flags)


@pytest.mark.parametrize('change, rule', [
    (box(velocity=[50.0, 40.0]), 'fast-box'), (box(detection_score=0), 'score-zero'),
    (box(rotation=[0.0, 1.0, 0.0, 0.0]), 'tilted-box'),
    (lambda c: c['results'][TOKEN].append(dict(c['results'][TOKEN][0])), 'duplicate-box'),
    (lambda c: c.update(results={token: [] for token in VAL_TOKENS}), 'no-boxes'),
    (meta(use_camera=False, use_lidar=False), 'meta-no-sensor')])
def test_what_is_odd_but_allowed_is_a_warning(
        judge: Callable[[Any], Verdict], perfect: Content, change: Callable, rule: str) -> None:
    change(perfect)
    verdict = judge(perfect)
    assert verdict.is_valid and (verdict.n_errors, verdict.n_warnings) == (0, 1)
    assert [(found.severity, found.rule) for found in verdict.findings] == [('warning', rule)]


def test_a_finding_names_the_place_and_what_was_expected(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    box(size=[2.0, 0.0, 1.5])(perfect)
    assert str(judge(perfect).findings[0]) == (
        f'error [size-not-positive] sample {TOKEN} {PLACE}.size: got [2.0, 0.0, 1.5], expected '
        'width, length, height above 0 m')


def test_repeated_keys_and_constants_inside_a_sample_name_it(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    text = json.dumps(perfect).replace('"velocity": [2.0, 0.0]', '"velocity": [NaN, 0.0]', 1)
    text = text.replace('"size":', '"size": [1.0, 1.0, 1.0], "size":', 1)
    found = [(finding.rule, finding.sample_token) for finding in judge(text).findings]
    assert found == [('json-constant', TOKEN), ('duplicate-key', TOKEN), ('not-finite', TOKEN)]


def test_what_the_file_broke_before_it_ends_too_early_is_told_too(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    box(detection_score=2)(perfect)
    verdict = judge(json.dumps(perfect)[:-1])
    assert [finding.rule for finding in verdict.findings] == ['score-range', 'not-json']


def test_a_rule_broken_everywhere_is_listed_a_thousand_times_and_counted(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    record = perfect['results'][TOKEN][0]
    perfect['results'] = {token: [
        dict(record, sample_token=token, size=[2.0, 4.0, -1.0 - i]) for i in range(500)]
        for token in VAL_TOKENS}
    perfect['results'][TOKEN] *= 2
    verdict = judge(perfect)
    listed = [finding.rule for finding in verdict.findings]
    assert listed.count('size-not-positive') == 1000 and listed.count('too-many-boxes') == 1
    assert verdict.unlisted == {'size-not-positive': 500} and verdict.n_errors == 1501
    assert verdict.to_dict()['errors'] == 1501


def test_a_finding_about_unprintable_keys_can_be_printed(judge: Callable[[Any], Verdict]) -> None:
    found = judge('{"meta": {}, "results": {"a\\ud800\\u001b[2J": 1}}').findings
    assert any('\\ud800\\x1b[2J' in str(finding) for finding in found)
    ''.join(map(str, found)).encode()


def test_a_test_split_without_annotations_is_judged_in_little_memory(tmp_path: Path) -> None:
    path = write_large(tmp_path / 'large', samples=40, boxes=500)
    samples = read_split_samples(data_root=path.parent, version=LARGE_VERSION, split=LARGE_SPLIT)
    tracemalloc.start()
    try:
        verdict = validate_file(path, samples)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert verdict == Verdict(findings=(), n_samples=40, n_boxes=20_000, track='open')
    # 20 000 boxes as Python objects take 28 MB, one sample 0.7 MB, the windows into the file 13 MB.
    assert peak_bytes < 20e6


def zip_of(path: Path, **members: str) -> Path:
    """Writes a zip; `__` in a name stands for a folder."""
    with zipfile.ZipFile(path, 'w') as archive:
        for name, text in members.items():
            archive.writestr(name.replace('__', '/') + '.json', text)
    return path


def test_a_zip_with_the_json_at_its_root_is_judged_like_the_json(
        split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    assert validate_file(zip_of(tmp_path / 'r.zip', any_name=json.dumps(perfect)), split).is_valid


@pytest.mark.parametrize('flags, track', [
    ({'use_camera': False}, 'lidar'), ({'use_lidar': False}, 'vision'), ({}, 'open'),
    ({'use_camera': False, 'use_external': True}, 'open')])
def test_the_track_follows_from_the_flags(
        judge: Callable[[Any], Verdict], perfect: Content, flags: Dict[str, bool], track: str
        ) -> None:
    meta(**flags)(perfect)
    assert judge(perfect).track == track


@pytest.mark.parametrize('flags, track, refused', [
    ({'use_camera': False}, 'lidar', []), ({'use_lidar': False}, 'vision', []), ({}, 'open', []),
    ({'use_map': True}, 'open', []), ({}, 'lidar', ['use_camera']),
    ({'use_map': True, 'use_external': True}, 'vision', ['use_lidar', 'use_map', 'use_external'])])
def test_flags_that_the_wanted_track_forbids_are_errors(
        split: SplitSamples, tmp_path: Path, perfect: Content, flags: Dict[str, bool], track: str,
        refused: List[str]) -> None:
    meta(**flags)(perfect)
    (tmp_path / 'r.json').write_text(json.dumps(perfect))
    verdict = validate_file(tmp_path / 'r.json', split, track=track)
    assert [(found.rule, found.field) for found in verdict.findings] == [
        ('track', f'meta.{flag}') for flag in refused]
    assert verdict.n_errors == len(refused)


def test_what_else_lies_in_a_zip_is_a_warning(
        split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    path = zip_of(tmp_path / 'r.zip', r=json.dumps(perfect), folder__notes='{}')
    verdict = validate_file(path, split)
    assert verdict.is_valid
    assert [(found.rule, found.severity) for found in verdict.findings] == [('zip-content', 'warning')]
