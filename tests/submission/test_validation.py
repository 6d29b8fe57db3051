"""The validator: good files pass, oddities are warnings, long files take little memory.

What is wrong and how that is said: test_corrupted_submissions.
"""
import json
import random
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path
from time import process_time
from typing import Any, Callable, Dict, List

import pytest
from devkit_loader import devkit_stops
from large_submission import SPLIT as LARGE_SPLIT
from large_submission import VERSION as LARGE_VERSION
from large_submission import write_large
from ten_objects import VAL_TOKENS

from geminifusion3d.submission import submission_file
from geminifusion3d.submission.split_samples import SplitSamples, read_split_samples
from geminifusion3d.submission.validation import Verdict, validate_file

Content = Dict[str, Any]
TOKEN = VAL_TOKENS[0]
NAN, INF = float('nan'), float('inf')
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


def test_what_the_file_broke_before_it_ends_too_early_is_said_too(
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
    assert {group.listed[0].rule: group.count for group in verdict.groups} == {
        'too-many-boxes': 1, 'size-not-positive': 1500, 'duplicate-box': 500}
    assert verdict.n_errors == verdict.to_dict()['errors'] == 1501


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


def test_findings_are_grouped_by_rule_with_what_the_server_refuses_first(
        judge: Callable[[Any], Verdict], perfect: Content) -> None:
    for record in perfect['results'][TOKEN][:5]:
        record['num_pts'] = 1
    perfect['results'][TOKEN][6]['size'][0] = 'wide'
    verdict = judge(perfect)
    lines = list(verdict.lines())
    assert lines == [
        'the server refuses:', '  error [number-type]',
        f"    results.{TOKEN}[6].size: got 'wide' in ['wide', 4.0, 1.5], expected 3 finite numbers",
        'we advise (the server takes these without a word, the score suffers):',
        '  error [unknown-field] 5 times', *(
            f"    results.{TOKEN}[{index}]: got the field 'num_pts', expected exactly sample_token, "
            'translation, size, rotation, velocity, detection_name, detection_score, attribute_name'
            for index in range(3)),
        '    ... and 2 more', 'INVALID, 2 samples, 20 boxes, track open, 6 errors, 0 warnings']
    assert len(list(verdict.lines(max_listed=1000))) == len(lines) + 1
    assert verdict.server_refuses
    content = json.loads(json.dumps(verdict.to_dict()))
    refused = [(group['rule'], group['count']) for group in content['server_refuses']]
    assert refused == [('number-type', 1)]
    assert [(group['count'], len(group['findings'])) for group in content['advice']] == [(5, 3)]


@pytest.mark.parametrize('change, refused', [
    (box(size=[2.0, NAN, 1.5]), True), (box(size=[2.0, INF, 1.5]), False),
    (box(velocity=[NAN, 0.0]), False), (box(detection_score=NAN), True), (box(detection_score='0.5'), False),
    (box(detection_score='best'), True), (box(attribute_name='pedestrian.moving'), False),
    (box(attribute_name='flying'), True), (box(translation=[2 ** 70, 1.5, 1.0]), True),
    (box(rotation=[[1.0], [1.0], [0.0], [0.0]]), False), (box(num_pts=3), False),
    (lambda c: c['results'][TOKEN][0].pop('detection_score'), False),
    (lambda c: c['results'][TOKEN][0].pop('size'), True),
    (lambda c: c['results'].update({TOKEN: {}}), False),
    (lambda c: c['results'].update({TOKEN: None}), True), (meta(use_map=1), False),
    (lambda c: c.pop('meta'), True), (lambda c: c['results'].pop(TOKEN), True),
    (lambda c: c.update(version=1), False)])
def test_what_the_server_refuses_is_what_the_devkit_stops_at(
        judge: Callable[[Any], Verdict], perfect: Content, tmp_path: Path, change: Callable,
        refused: bool) -> None:
    change(perfect)
    verdict = judge(perfect)
    assert not verdict.is_valid and verdict.server_refuses == refused
    assert devkit_stops(tmp_path / 'r.json', VAL_TOKENS) == refused


@pytest.mark.parametrize('text', [
    '{%s}' % ', '.join(['"a": 1'] * 60_000), '{"results": {"t": [{%s}]}}' % ', '.join(['"a": 1'] * 60_000),
    '{%s}' % ', '.join(f'"{index}": 1, "{index}": 1' for index in range(30_000)),
    '{"results": {"t": [%s]}}' % ', '.join(['{}'] * 200_000), '{"results": {"t": [%s]}}' % ('[]' * 3),
    '{"results": {%s}}' % ', '.join(f'"{index}": 0' for index in range(100_001)),
    '{"results": {"%s": [%s]}}' % ('x' * 1_000_000, ', '.join(['{}'] * 400))],
    ids=['key 60,000 times', 'field 60,000 times', '30,000 keys twice', '200,000 boxes', 'cut', 'samples',
         'token'])
def test_a_file_made_to_take_long_is_judged_in_time_proportional_to_its_length(
        judge: Callable[[Any], Verdict], text: str) -> None:
    began_s = process_time()
    verdict = judge(text)
    assert not verdict.is_valid and process_time() - began_s < 6
    assert sum(map(len, verdict.lines())) < 20_000


@pytest.mark.parametrize('method', [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(
        split: SplitSamples, tmp_path: Path, method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submission_file, 'RATIO_MATTERS_FROM_BYTES', 1 << 20)
    with zipfile.ZipFile(tmp_path / 'r.zip', 'w', method) as archive:
        archive.writestr('r.json', b' ' * (1 << 22))
    found = validate_file(tmp_path / 'r.zip', split).findings
    assert [finding.rule for finding in found] == ['zip-too-large'] and '4194304' in found[0].message


def test_one_endless_value_is_not_held_in_memory(split: SplitSamples, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / 'r.zip', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('r.json', b'{"results": {"t": "%s"}}' % (b'a' * 200_000_000))
    tracemalloc.start()
    try:
        found = validate_file(tmp_path / 'r.zip', split).findings
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [finding.rule for finding in found] == ['too-long'] and peak_bytes < 150e6


def test_any_spoilt_byte_of_any_packing_is_one_finding(
        split: SplitSamples, tmp_path: Path, perfect: Content) -> None:
    generator = random.Random(0)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        path = tmp_path / 'r.zip'
        with zipfile.ZipFile(path, 'w', method) as archive:
            archive.writestr('räsults.json', json.dumps(perfect))
        good = path.read_bytes()
        for _ in range(40):
            at = generator.randrange(len(good))
            path.write_bytes(good[:at] + bytes([generator.randrange(256)]) + good[at + 1:])
            verdict = validate_file(path, split)
            assert verdict.is_valid or verdict.findings[-1].message


def test_judging_a_file_loads_neither_torch_nor_mmdet3d_nor_the_devkit(
        tiny_root: Path, tmp_path: Path) -> None:
    (tmp_path / 'r.json').write_text('{}')
    code = (
        'import sys\n'
        'from geminifusion3d.submission.split_samples import read_split_samples\n'
        'from geminifusion3d.submission.validation import validate_file\n'
        f'split = read_split_samples(data_root={str(tiny_root)!r}, version="v1.0-mini", split="mini_val")\n'
        f'assert not validate_file({str(tmp_path / "r.json")!r}, split).is_valid\n'
        'import geminifusion3d.submission as package, importlib, pkgutil\n'
        'for module in pkgutil.iter_modules(package.__path__):\n'
        '    importlib.import_module(f"{package.__name__}.{module.name}")\n'
        'heavy = {"torch", "mmengine", "mmdet3d", "mmcv", "nuscenes", "matplotlib", "scipy"}\n'
        'heavy &= set(sys.modules)\n'
        'assert not heavy, heavy\n')
    subprocess.run([sys.executable, '-c', code], check=True)
