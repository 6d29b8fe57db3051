"""The rules asked of all boxes together say what they say of each box alone, and of limits exactly."""
import copy
import random
from typing import Any, Dict, List

import pytest
from ten_objects import EGO_XYZ_M, VAL_TOKENS

from geminifusion3d.nuscenes_facts import MAX_BOXES_PER_SAMPLE
from geminifusion3d.submission.rules import check_meta, check_sample, is_finite_number

TOKEN, EGO_XY_M = VAL_TOKENS[0], EGO_XYZ_M[:2]
NAN, INF = float('nan'), float('inf')
ODD = [None, True, '', 'car', 0, -1, 2, 1e-300, 1e308, 10**400, NAN, INF, [], {}, [1.0], [0.0] * 3, [0.0] * 4,
       [1.0, 0.0, 0.0, 0.0], [1.0005, 0.0, 0.0, 0.0], [1.001, 0.0, 0.0, 0.0], [0.9990, 0.0, 0.0, 0.0],
       [0.99619, 0.08716, 0.0, 0.0], [0.99618, 0.08717, 0.0, 0.0], [60.0, 0.0], [59.9, 0.0], [-42.43, 42.43],
       [True, 1.0, 1.0], ['1', '2', '3'], [1, 2, 3], [100.0, 310.0, 0.0], [100.0, 309.0, 0.0],
       [1e308, 1e308, 1e308], [1, 2, 2 ** 70], 'vehicle.moving', 'pedestrian.moving', 'barrier', TOKEN,
       VAL_TOKENS[1], 1.0, 0.5, 1 + 1e-12]


@pytest.fixture
def records(perfect: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Ten boxes that break no rule."""
    return perfect['results'][TOKEN]


def found(records: Any) -> List[tuple]:
    """Rule and place of all findings."""
    return [(finding.rule, finding.field.partition('[')[2])
            for finding in check_sample(records, TOKEN, EGO_XY_M)]


def test_ordinary_boxes_no_boxes_and_whole_numbers_break_no_rule(records: List[Dict[str, Any]]) -> None:
    records[0].update(size=[2, 4, 1], velocity=[0, 0], rotation=[1, 0, 0, 0], detection_score=1)
    assert found(records) == [] and found([]) == []


def test_an_odd_value_among_sound_boxes_is_judged_as_alone(records: List[Dict[str, Any]]) -> None:
    kinds = set()
    for field in records[0]:
        for value in ODD:
            changed = copy.deepcopy(records)
            changed[4][field] = value
            alone = [(rule, place.replace('0]', '4]', 1)) for rule, place in found([changed[4]])]
            assert [entry for entry in found(changed) if entry[0] != 'duplicate-box'] == alone, (field, value)
            kinds.update(rule for rule, _ in alone)
    assert len(kinds) >= 14


def test_limits_are_met_exactly(records: List[Dict[str, Any]]) -> None:
    box = records[0]
    for field, allowed, rule, broken in [
            ('velocity', [59.999, 0.0], 'fast-box', [60.0, 0.0]),
            ('rotation', [1.00099, 0.0, 0.0, 0.0], 'quaternion-norm', [1.00101, 0.0, 0.0, 0.0]),
            ('rotation', [0.99625, 0.0865, 0.0, 0.0], 'tilted-box', [0.99615, 0.0876, 0.0, 0.0]),
            ('translation', [100.0, 310.0, 0.0], 'far-from-ego', [100.0, 310.001, 0.0]),
            ('size', [1e-9, 1.0, 1.0], 'size-not-positive', [0.0, 1.0, 1.0]),
            ('detection_score', 1.0, 'score-range', 1.0000001),
            ('detection_score', 1e-300, 'score-zero', 0.0)]:
        assert found([dict(box, **{field: allowed})]) == [], (field, allowed)
        assert found([dict(box, **{field: broken})]) == [(rule, f'0].{field}')]


def test_each_of_many_broken_boxes_is_found_at_its_place(records: List[Dict[str, Any]]) -> None:
    generator = random.Random(1)
    boxes, expected = [], []
    for index in range(300):
        size_m = [generator.uniform(-0.1, 0.5) for _ in range(3)]
        speed_mps = generator.uniform(55, 65)
        boxes.append(dict(records[0], size=size_m, velocity=[speed_mps, 0.0],
                          translation=[100.0 + index / 10, 200.0, 1.0]))
        if min(size_m) <= 0:
            expected.append(('size-not-positive', f'{index}].size'))
        if speed_mps >= 60:
            expected.append(('fast-box', f'{index}].velocity'))
    assert found(boxes) == expected and 100 < len(expected) < 500


def test_only_the_same_box_of_the_same_class_is_a_repetition(records: List[Dict[str, Any]]) -> None:
    records[1]['translation'] = list(records[0]['translation'])
    assert found(records) == []
    assert found([*records, dict(records[0], detection_score=0.1)]) == [('duplicate-box', '10]')]
    assert found([*records, dict(records[0], size=[9.0, 9.0, 9.0])]) == []


def test_without_a_dataset_no_distance_is_asked_for(records: List[Dict[str, Any]]) -> None:
    records[0]['translation'] = [6.0, 2.0, 1.0]
    assert list(check_sample(records, TOKEN)) == [] and len(found(records)) == 1


@pytest.mark.parametrize('value, is_number', [
    (0, True), (-1.5, True), (2 ** 53, True), (2 ** 53 + 1, False), (1e308, True), (INF, False), (NAN, False),
    (True, False), ('1', False), (None, False), (10 ** 400, False)])
def test_numbers_are_those_that_a_float_carries(value: Any, is_number: bool) -> None:
    assert is_finite_number(value) == is_number


def test_messages_stay_short_whatever_they_are_about(records: List[Dict[str, Any]]) -> None:
    huge = 'x' * 1_000_000
    records[0].update(detection_name=huge, velocity=[huge, 1.0], **{huge: 1})
    records += [dict(records[1], **{f'f{i}': 0 for i in range(10_000)})]
    findings = [*check_sample(records, huge), *check_meta({huge: huge})]
    assert len(findings) < 60 and max(len(str(finding)) for finding in findings) < 600


def test_of_a_sample_with_thousands_of_boxes_the_first_are_judged(records: List[Dict[str, Any]]) -> None:
    findings = list(check_sample([[]] * (11 * MAX_BOXES_PER_SAMPLE), TOKEN))
    assert len(findings) == 1 + 10 * MAX_BOXES_PER_SAMPLE
    assert f'got {11 * MAX_BOXES_PER_SAMPLE} boxes' in findings[0].message
