"""A submission is valid or does not exist; its files are the same bytes for the same content."""
import copy
import json
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ten_objects import VAL_TOKENS

from geminifusion3d.errors import UserError
from geminifusion3d.submission.submission import InvalidSubmission, Submission

Content = Dict[str, Any]


def first(content: Content) -> Dict[str, Any]:
    """The first record of a submission."""
    return content['results'][VAL_TOKENS[0]][0]


@pytest.mark.parametrize('change, message', [
    (lambda c: c['meta'].pop('use_map'), 'use_map is missing'),
    (lambda c: c['meta'].update(use_map=1), 'got 1, expected true or false'),
    (lambda c: first(c).update(detection_score=1.5), r'got 1.5, expected a number in \[0, 1\]'),
    (lambda c: first(c).update(velocity=[float('nan'), 0.0]), 'expected 2 finite numbers'),
    (lambda c: first(c).pop('size'), 'the field size is missing'),
    (lambda c: first(c).update(attribute_name=''), "got '' for a car"),
    (lambda c: c['results'].update(t='boxes'), 'got str, expected a list of boxes')])
def test_an_invalid_submission_cannot_be_made(
        perfect: Content, change: Callable[[Content], Any], message: str) -> None:
    change(perfect)
    with pytest.raises(InvalidSubmission, match=message):
        Submission(**perfect)


def test_many_errors_are_counted(perfect: Content) -> None:
    for record in perfect['results'][VAL_TOKENS[0]]:
        record['detection_score'] = 2
    with pytest.raises(InvalidSubmission, match='and 5 more') as caught:
        Submission(**perfect)
    assert len(caught.value.findings) == 10


def test_it_keeps_its_own_copy_and_cannot_be_changed(perfect: Content) -> None:
    before = copy.deepcopy(perfect)
    submission = Submission(**perfect)
    assert perfect == before
    first(perfect)['detection_score'] = 7
    assert submission.results[VAL_TOKENS[0]][0]['detection_score'] == 0.9
    for mapping in (submission.meta, submission.results, submission.results[VAL_TOKENS[0]][0]):
        with pytest.raises(TypeError):
            mapping['use_map'] = True
    with pytest.raises(AttributeError):
        submission.meta = {}


def test_the_order_of_samples_and_fields_does_not_change_the_bytes(perfect: Content) -> None:
    backwards = {token: [dict(reversed(record.items())) for record in records]
                 for token, records in reversed(perfect['results'].items())}
    other = Submission(meta=perfect['meta'], results=backwards)
    assert other.to_json_bytes() == Submission(**perfect).to_json_bytes()


def test_json_comes_back_as_the_same_submission_with_every_digit(
        perfect: Content, tmp_path: Path) -> None:
    first(perfect)['translation'][0] = 106.10000000000001
    submission = Submission(**perfect)
    submission.to_json(tmp_path / 'r.json')
    assert Submission.from_json(tmp_path / 'r.json') == submission
    written = json.loads((tmp_path / 'r.json').read_text())
    assert written == perfect
    assert list(written['results']) == sorted(VAL_TOKENS)


def test_it_can_be_made_of_the_parts_of_another(perfect: Content) -> None:
    submission = Submission(**perfect)
    assert Submission(meta=submission.meta, results=submission.results) == submission


def test_two_zips_are_the_same_bytes_and_hold_the_json_alone(
        perfect: Content, tmp_path: Path) -> None:
    submission = Submission(**perfect)
    for folder in ('a', 'b'):
        submission.to_zip(tmp_path / folder / 'results_nusc.zip')
    paths = [tmp_path / folder / 'results_nusc.zip' for folder in ('a', 'b')]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.namelist() == ['results_nusc.json']
        assert archive.read('results_nusc.json') == submission.to_json_bytes()


@pytest.mark.parametrize('text, message', [
    ('{"meta": {}, "meta": {}, "results": {}}', "'meta' stands 2 times"),
    ('{"meta": {}, "results": {"t": [{"velocity": [NaN, 0]}]}}', 'got NaN, which is not JSON'),
    ('{"meta": {}}', 'results is missing'), ('[]', 'got list'), ('{', 'not JSON'),
    ('{"results": {}, "meta": {}, "date": 1}', "got 'date', expected exactly")])
def test_loose_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'r.json').write_text(text)
    with pytest.raises(InvalidSubmission, match=message):
        Submission.from_json(tmp_path / 'r.json')


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='is not a file'):
        Submission.from_json(tmp_path / 'absent.json')


def test_coverage_is_checked_both_ways(perfect: Content) -> None:
    submission = Submission(**perfect)
    submission.check_covers(VAL_TOKENS)
    with pytest.raises(UserError, match=rf'1 \(x\) missing, 1 \({VAL_TOKENS[1]}\) too many'):
        submission.check_covers([VAL_TOKENS[0], 'x'])
