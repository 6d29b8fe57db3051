"""What is sound at a glance has no finding when looked at box by box, and ordinary boxes are sound."""
import copy
import json
import random

import pytest
from ten_objects import EGO_XYZ_M, VAL_TOKENS

from geminifusion3d.submission.content_rules import check_sample
from geminifusion3d.submission.record_rules import check_record
from geminifusion3d.submission.sound_records import are_sound, has_no_repeated_key

TOKEN, EGO_XY_M = VAL_TOKENS[0], EGO_XYZ_M[:2]
NAN, INF = float('nan'), float('inf')
ODD = [None, True, '', 'car', 0, -1, 2, 1e-300, 1e308, 10**400, NAN, INF, [], {}, [1.0], [0.0] * 3, [0.0] * 4,
       [1.0, 0.0, 0.0, 0.0], [1.0005, 0.0, 0.0, 0.0], [1.001, 0.0, 0.0, 0.0], [0.9990, 0.0, 0.0, 0.0],
       [0.99619, 0.08716, 0.0, 0.0], [0.99618, 0.08717, 0.0, 0.0], [60.0, 0.0], [59.9, 0.0], [-42.43, 42.43],
       [True, 1.0, 1.0], ['1', '2', '3'], [1, 2, 3], [100.0, 310.0, 0.0], [100.0, 309.0, 0.0],
       'vehicle.moving', 'pedestrian.moving', 'barrier', TOKEN, VAL_TOKENS[1], 1.0, 0.5, 1 + 1e-12]


@pytest.fixture
def records(perfect):
    return perfect['results'][TOKEN]


def test_ordinary_boxes_and_no_boxes_are_sound(records):
    assert are_sound(records, TOKEN, EGO_XY_M) and are_sound([], TOKEN) and are_sound(records[:1], TOKEN)


def test_whole_numbers_are_numbers(records):
    records[0].update(size=[2, 4, 1], velocity=[0, 0], rotation=[1, 0, 0, 0], detection_score=1)
    assert are_sound(records, TOKEN, EGO_XY_M)


def test_no_odd_value_of_any_field_is_overlooked(records):
    seen_sound = 0
    for field in records[0]:
        for value in ODD:
            changed = copy.deepcopy(records)
            changed[0][field] = value
            if are_sound(changed, TOKEN):
                seen_sound += 1
                assert list(check_record(changed[0], TOKEN, 0)) == [], (field, value)
    assert seen_sound >= 10


def test_random_boxes_around_the_limits_are_judged_as_by_the_rules(records):
    generator = random.Random(1)
    verdicts = []
    for _ in range(300):
        record = dict(records[0], size=[generator.uniform(-1e-3, 0.1) for _ in range(3)],
                      detection_score=generator.uniform(-0.05, 1.05),
                      rotation=[1 + generator.uniform(-2e-3, 2e-3), 0.0, 0.0, 0.0],
                      velocity=[generator.uniform(55, 65), 0.0])
        is_sound = are_sound([record], TOKEN)
        assert is_sound == (not list(check_record(record, TOKEN, 0)))
        verdicts.append(is_sound)
    assert 10 < sum(verdicts) < 290


@pytest.mark.parametrize('change', [
    lambda r: r.append([]), lambda r: r.append({}), lambda r: r.append(dict(r[0], extra=1)),
    lambda r: r[1].pop('size'), lambda r: r.append(dict(r[0])),
    lambda r: r[0].update(translation=[6.0, 2.0, 1.0])])
def test_what_the_slow_rules_or_the_distance_complain_about_is_not_sound(records, change):
    change(records)
    assert not are_sound(records, TOKEN, EGO_XY_M)


def test_boxes_of_two_classes_may_share_a_place(records):
    records[1]['translation'] = list(records[0]['translation'])
    assert are_sound(records, TOKEN) and list(check_sample(records, TOKEN)) == []


def test_distance_is_only_asked_for_with_an_ego_position(records):
    records[0]['translation'] = [6.0, 2.0, 1.0]
    assert are_sound(records, TOKEN) and not are_sound(records, TOKEN, EGO_XY_M)


@pytest.mark.parametrize('field', ['velocity', 'detection_name', 'sample_token'])
def test_a_repeated_key_shows_in_the_number_of_colons(records, field):
    text = json.dumps(records)
    assert has_no_repeated_key(text, records, TOKEN)
    repeated = text.replace(f'"{field}":', f'"{field}": "a:b", "{field}":', 1)
    assert json.loads(repeated) == records
    assert not has_no_repeated_key(repeated, records, TOKEN)
    assert not has_no_repeated_key(text, records, 'a:b')
