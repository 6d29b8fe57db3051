"""Results files as columns: read, fused and written, they are the same boxes; broken ones are named."""
import json
import math
from pathlib import Path
from typing import Any, Dict

import numpy as np
import pytest
from ten_objects import META, VAL_TOKENS, YAW_RAD, perfect_submission

from gemini_lab.analysis.prediction_file import (ATTRIBUTES, PredictionFile, format_summary, fuse_files,
                                                 joint_meta, read_predictions, read_with_findings,
                                                 summarise_predictions)
from geminifusion3d.errors import UserError
from geminifusion3d.nuscenes_facts import CLASS_NAMES
from geminifusion3d.submission.submission import write_submission

CAR = CLASS_NAMES.index('car')


def written(path: Path, content: Dict[str, Any]) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def file(tmp_path: Path, perfect: Dict[str, Any]) -> PredictionFile:
    """The perfect submission, read."""
    return read_predictions(written(tmp_path / 'perfect.json', perfect))


def test_columns_hold_what_the_records_say(file: PredictionFile) -> None:
    assert file.tokens == VAL_TOKENS and file.first.tolist() == [0, 10, 20] and file.meta == META
    record = perfect_submission()['results'][VAL_TOKENS[1]][CAR]
    row = 10 + CAR
    assert file.boxes[row] == pytest.approx(
        [*record['translation'], *record['size'], YAW_RAD, *record['velocity']])
    assert (file.labels[row], file.scores[row]) == (CAR, 0.9)
    assert ATTRIBUTES[file.attributes[row]] == 'vehicle.moving'
    assert file.sample_of.tolist() == [0] * 10 + [1] * 10


def test_the_yaw_of_a_leaning_box_is_that_of_its_length_from_above(tmp_path: Path, perfect: Dict) -> None:
    # A turn of 90 degrees about z, then one of 60 degrees about the new length: the length stays along y.
    z, x = (math.cos(math.pi / 4), math.sin(math.pi / 4)), (math.cos(math.pi / 6), math.sin(math.pi / 6))
    perfect['results'][VAL_TOKENS[0]][0]['rotation'] = [
        z[0] * x[0], z[0] * x[1], z[1] * x[1], z[1] * x[0]]
    assert read_predictions(written(tmp_path / 'f.json', perfect)).boxes[0, 6] == pytest.approx(math.pi / 2)


def test_one_file_fused_is_the_file(file: PredictionFile, tmp_path: Path) -> None:
    count = write_submission(tmp_path / 'out.json', meta=file.meta, samples=fuse_files([file], weights=[3]))
    assert count == 20
    again = read_predictions(tmp_path / 'out.json')
    for name in ('boxes', 'scores', 'labels', 'attributes', 'first'):
        np.testing.assert_allclose(getattr(again, name), getattr(file, name), atol=1e-12)
    fields = list(json.loads((tmp_path / 'out.json').read_text())['results'][VAL_TOKENS[0]][0])
    assert fields == list(perfect_submission()['results'][VAL_TOKENS[0]][0])


def test_two_files_meet_sample_by_sample(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    other = perfect_submission()
    other['meta'] = {**META, 'use_lidar': False, 'use_map': True}
    other['results'] = dict(reversed(other['results'].items()))
    for record in other['results'][VAL_TOKENS[1]]:
        record['translation'][0] += 0.2
    car = other['results'][VAL_TOKENS[1]][CAR]
    car.update(detection_score=0.3, attribute_name='vehicle.parked', velocity=[0, 0])
    files = [read_predictions(written(tmp_path / name, content))
             for name, content in (('a.json', perfect), ('b.json', other))]
    assert joint_meta(files) == {**META, 'use_map': True}
    fused = dict(fuse_files(files, weights=[1, 1]))
    assert [len(records) for records in fused.values()] == [10, 10]
    x_m = perfect['results'][VAL_TOKENS[1]][CAR]['translation'][0]
    (found, ) = (record for record in fused[VAL_TOKENS[1]] if record['detection_name'] == 'car')
    # Pulls 0.9 and 0.3.
    assert found['translation'][0] == pytest.approx(x_m + 0.05)
    assert found['velocity'] == pytest.approx([1.5, 0])
    assert (found['attribute_name'], found['detection_score']) == ('vehicle.moving', pytest.approx(0.6))


def test_at_most_500_boxes_a_sample_are_left_the_best(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    files = []
    for number in range(2):
        record = perfect['results'][VAL_TOKENS[0]][CAR]
        crowd = [{**record, 'translation': [100.0 + 5 * i, 40.0 * number, 1.0],
                  'detection_score': (i + 1) / 500} for i in range(400)]
        content = {**perfect, 'results': {**perfect['results'], VAL_TOKENS[0]: crowd}}
        files.append(read_predictions(written(tmp_path / f'{number}.json', content)))
    scores = [record['detection_score'] for record in dict(fuse_files(files, weights=[1, 1]))[VAL_TOKENS[0]]]
    assert len(scores) == 500 and scores == sorted(scores, reverse=True)
    # 800 boxes, each seen by one of two: scores 1/1000 .. 400/1000 twice; the 500 best start at 151.
    assert scores[-1] == pytest.approx(0.151) and scores[0] == pytest.approx(0.4)


def test_files_of_other_samples_are_refused(file: PredictionFile, tmp_path: Path, perfect: Dict) -> None:
    del perfect['results'][VAL_TOKENS[1]]
    other = read_predictions(written(tmp_path / 'short.json', perfect))
    with pytest.raises(UserError, match=f'short.json holds 1 samples, .* 2, and 1 .* {VAL_TOKENS[1]}'):
        list(fuse_files([file, other], weights=[1, 1]))


@pytest.mark.parametrize('text, message', [
    ('{"meta": {}', 'cannot be read'),
    ('[1]', 'has the keys'),
    ('{"meta": {}}', 'has the keys meta; expected meta and results'),
    ('{"results": {}, "meta": {}}', 'use_camera is missing')])
def test_what_is_no_results_file_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / 'f.json').write_text(text)
    with pytest.raises(UserError, match=message):
        read_predictions(tmp_path / 'f.json')


def test_a_broken_record_is_refused_or_left_out_and_counted(tmp_path: Path, perfect: Dict) -> None:
    perfect['results'][VAL_TOKENS[0]][2]['size'] = [0, 1, 1]
    perfect['results'][VAL_TOKENS[1]][3]['detection_score'] = 7
    path = written(tmp_path / 'f.json', perfect)
    with pytest.raises(UserError, match='size-not-positive'):
        read_predictions(path)
    file, log = read_with_findings(path)
    assert file.first.tolist() == [0, 9, 18]
    assert [finding.rule for finding in log.listed] == ['size-not-positive', 'score-range']


def test_what_breaks_a_rule_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='sample_token is missing'):
        write_submission(tmp_path / 'f.json', meta=META, samples=[(VAL_TOKENS[0], [{}])])
    assert not list(tmp_path.iterdir())


def test_a_summary_counts_and_measures(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    perfect['results'][VAL_TOKENS[1]] = []
    perfect['results'][VAL_TOKENS[0]][CAR]['detection_score'] = 0.15
    file, log = read_with_findings(written(tmp_path / 'f.json', perfect))
    x_m, y_m, _ = perfect['results'][VAL_TOKENS[0]][CAR]['translation']
    summary = summarise_predictions(file, log, {VAL_TOKENS[0]: (x_m, y_m - 12.0), VAL_TOKENS[1]: (0., 0.)})
    assert (summary['samples'], summary['boxes'], summary['empty_samples']) == (2, 10, 1)
    assert [row['boxes'] for row in summary['score_histogram']] == [0, 1, 0, 0, 0, 0, 0, 0, 0, 9]
    car = summary['classes']['car']
    assert car['boxes'] == 1 and car['median_distance_m'] == pytest.approx(12)
    assert (car['median_speed_mps'], car['median_size_wlh_m']) == (pytest.approx(2), [2, 4, 1.5])
    assert sum(row['boxes'] for row in summary['distance_histogram']) == 10
    assert summary['broken_rules'] == {} and summary['suspicions'] == []
    text = format_summary(summary)
    assert 'f.json: 2 samples, 10 boxes, 1 sample without a box' in text
    assert json.loads(json.dumps(summary)) == summary


def test_a_summary_suspects_what_no_rule_forbids(tmp_path: Path, perfect: Dict[str, Any]) -> None:
    car = {**perfect['results'][VAL_TOKENS[0]][CAR], 'size': [4, 2, 1.5], 'velocity': [0, 0]}
    cars = [{**car, 'translation': [100.0 + 5 * i, 200.0, 1.0]} for i in range(500)]
    cars[7]['detection_score'] = -1
    perfect['results'] = {VAL_TOKENS[0]: cars, VAL_TOKENS[1]: [
        {**cars[0], 'sample_token': VAL_TOKENS[1]}] * 500}
    file, log = read_with_findings(written(tmp_path / 'f.json', perfect))
    summary = summarise_predictions(file, log)
    text = format_summary(summary)
    for part in ('no box of class truck', 'every velocity is zero', 'class car are wider than long',
                 '1 sample with 500 boxes or more', 'error [score-range] 1 times, first: results.'):
        assert part in text
    assert summary['broken_rules']['duplicate-box']['count'] == 499
    assert summary['distance_histogram'] is None
