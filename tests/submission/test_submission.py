"""A submission is whole and valid or is not there; its files are the same bytes for the same content."""
import json
import os
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

import pytest
from ten_objects import META, VAL_TOKENS

from geminifusion3d.errors import UserError
from geminifusion3d.submission.submission import (InvalidSubmission, has_boxes, read_meta, read_samples,
                                                  write_submission, zip_submission)

Content = Dict[str, Any]


def first(content: Content) -> Dict[str, Any]:
    """The first record of a submission."""
    return content['results'][VAL_TOKENS[0]][0]


def write(path: Path, content: Content, **kwargs: Any) -> int:
    """Writes a submission from its content."""
    return write_submission(path, meta=content['meta'], samples=content['results'].items(), **kwargs)


@pytest.mark.parametrize('change, message', [
    (lambda c: c['meta'].pop('use_map'), 'use_map is missing'),
    (lambda c: c['meta'].update(use_map=1), 'got 1, expected true or false'),
    (lambda c: first(c).update(detection_score=1.5), r'got 1.5, expected a number in \[0, 1\]'),
    (lambda c: first(c).update(velocity=[float('nan'), 0.0]), 'expected 2 finite numbers'),
    (lambda c: first(c).pop('size'), 'the field size is missing'),
    (lambda c: first(c).update(attribute_name=''), "got '' for a car"),
    (lambda c: c['results'].update(t='boxes'), 'got str, expected a list of boxes')])
def test_an_invalid_submission_is_not_written(
        perfect: Content, tmp_path: Path, change: Callable[[Content], Any], message: str) -> None:
    change(perfect)
    with pytest.raises(InvalidSubmission, match=message):
        write(tmp_path / 'r.json', perfect)
    assert os.listdir(tmp_path) == []


def test_many_errors_are_counted(perfect: Content, tmp_path: Path) -> None:
    for record in perfect['results'][VAL_TOKENS[0]]:
        record['detection_score'] = 2
    with pytest.raises(InvalidSubmission, match='and 5 more') as caught:
        write(tmp_path / 'r.json', perfect)
    assert len(caught.value.findings) == 10


def test_a_sample_that_comes_twice_is_refused(perfect: Content, tmp_path: Path) -> None:
    samples = [*perfect['results'].items(), (VAL_TOKENS[0], [])]
    with pytest.raises(InvalidSubmission, match=f"'{VAL_TOKENS[0]}' stands 2 times"):
        write_submission(tmp_path / 'r.json', meta=META, samples=samples)


def test_the_order_of_fields_does_not_change_the_bytes(perfect: Content, tmp_path: Path) -> None:
    backwards = {token: [dict(reversed(record.items())) for record in records]
                 for token, records in perfect['results'].items()}
    assert write(tmp_path / 'a.json', perfect) == 20
    write(tmp_path / 'b.json', {'meta': META, 'results': backwards})
    assert (tmp_path / 'a.json').read_bytes() == (tmp_path / 'b.json').read_bytes()


def test_json_comes_back_with_every_digit(perfect: Content, tmp_path: Path) -> None:
    first(perfect)['translation'][0] = 106.10000000000001
    write(tmp_path / 'r.json', perfect)
    assert json.loads((tmp_path / 'r.json').read_text()) == perfect
    assert read_meta(tmp_path / 'r.json') == perfect['meta']
    assert dict(read_samples(tmp_path / 'r.json')) == perfect['results']


def test_two_zips_are_the_same_bytes_and_hold_the_json_alone(perfect: Content, tmp_path: Path) -> None:
    write(tmp_path / 'results_nusc.json', perfect)
    for folder in ('a', 'b'):
        zip_submission(tmp_path / 'results_nusc.json', tmp_path / folder / 'r.zip')
    paths = [tmp_path / folder / 'r.zip' for folder in ('a', 'b')]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as archive:
        assert archive.namelist() == ['results_nusc.json']
        assert archive.read('results_nusc.json') == (tmp_path / 'results_nusc.json').read_bytes()
    assert dict(read_samples(paths[0])) == perfect['results']


@pytest.mark.parametrize('text, message', [
    ('{"meta": {}, "meta": {}, "results": {}}', "'meta' stands 2 times"),
    ('{"results": {"a": [], "a": []}, "meta": {}}', "'a' stands 2 times"),
    ('{"meta": {}, "results": {"t": [{"velocity": [NaN, 0]}]}}', 'got NaN, which is not JSON'),
    ('{"meta": {}}', 'results is missing'), ('[]', 'got list'), ('{', 'not JSON'),
    ('{"meta": {}, "results": []}', 'got list, expected an object that maps'),
    ('{"results": {"a": [%s]}, "meta": {}}' % ('[' * 100_000 + ']' * 100_000), 'not JSON'),
    ('{"results": {}, "meta": {}, "date": 1}', "got 'date', expected exactly")])
def test_loose_json_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'r.json').write_text(text)
    with pytest.raises(InvalidSubmission, match=message):
        write_submission(tmp_path / 'copy.json', meta=META, samples=read_samples(tmp_path / 'r.json'))
    assert os.listdir(tmp_path) == ['r.json']


@pytest.mark.parametrize('text, message', [
    ('{"results": {}}', 'meta is missing'), ('{"results": {}, "meta": {}}', 'use_camera is missing'),
    ('{"results": {}, "meta": 1}', 'got int'), ('3', 'got int')])
def test_flags_that_are_no_declaration_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'r.json').write_text(text)
    with pytest.raises(InvalidSubmission, match=message):
        read_meta(tmp_path / 'r.json')


def test_a_file_that_is_not_there_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match='is not a file'):
        read_meta(tmp_path / 'absent.json')


def test_coverage_is_checked_both_ways(perfect: Content, tmp_path: Path) -> None:
    write(tmp_path / 'r.json', perfect, expected=VAL_TOKENS)
    with pytest.raises(UserError, match=rf'1 \(x\) missing, 1 \({VAL_TOKENS[1]}\) too many'):
        write(tmp_path / 's.json', perfect, expected=[VAL_TOKENS[0], 'x'])
    assert os.listdir(tmp_path) == ['r.json']


def test_whether_there_are_boxes_is_known_at_the_first(perfect: Content, tmp_path: Path) -> None:
    write(tmp_path / 'r.json', perfect)
    assert has_boxes(tmp_path / 'r.json')
    write(tmp_path / 'r.json', {'meta': META, 'results': dict.fromkeys(VAL_TOKENS, [])})
    assert not has_boxes(tmp_path / 'r.json')


def test_files_of_any_length_are_written_and_copied_in_the_memory_of_a_sample(
        perfect: Content, tmp_path: Path) -> None:
    record = first(perfect)

    def samples() -> Iterator[Tuple[str, List[Content]]]:
        for index in range(200):
            yield f't{index}', [dict(record, sample_token=f't{index}', translation=[i / 7, 1.0, 2.0])
                                for i in range(100)]
    tracemalloc.start()
    try:
        write_submission(tmp_path / 'a.json', meta=META, samples=samples())
        tracemalloc.reset_peak()
        write_submission(tmp_path / 'b.json', meta=META, samples=read_samples(tmp_path / 'a.json'))
        zip_submission(tmp_path / 'b.json', tmp_path / 'b.zip')
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (tmp_path / 'a.json').read_bytes() == (tmp_path / 'b.json').read_bytes()
    # 20,000 boxes as Python objects take 28 MB; a window into the file holds up to 4 million characters.
    assert peak_bytes < 20e6
