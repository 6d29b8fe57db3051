"""Reading value by value gives what reading at once gives, wherever the windows end."""
import io
import json
import random

import pytest

from geminifusion3d.submission.json_stream import JsonReader, NotJson, TooLong

CONTENT = {'meta': {'a': True, 'é€𝄞': None}, 'list': [1, -2.5e-3, 'x"\\\n\u2028', [], {}, -0.0, 10**30],
           'long': 'y' * 5000}


def reader(text, chunk_bytes=7):
    return JsonReader(io.BytesIO(text if isinstance(text, bytes) else text.encode()),
                      chunk_bytes=chunk_bytes)


@pytest.mark.parametrize('chunk_bytes', [1, 2, 3, 7, 64, 10**6])
@pytest.mark.parametrize('indent', [None, 3])
@pytest.mark.parametrize('ensure_ascii', [True, False])
def test_members_come_in_order(chunk_bytes, indent, ensure_ascii):
    text = json.dumps(CONTENT, indent=indent, ensure_ascii=ensure_ascii) + '\r\n\t '
    stream = reader(text, chunk_bytes)
    found = {}
    for key in stream.members():
        found[key] = stream.value()
    stream.finish()
    assert found == CONTENT and list(found) == list(CONTENT)


@pytest.mark.parametrize('text, values', [('[]', []), (' [ 12 ,\n{"a":1}]', [12, {'a': 1}]),
                                          ('[NaN,-Infinity,1e999]', None)])
def test_elements_come_in_order(text, values):
    found = list(reader(text, 1).elements())
    assert repr(found) == repr(json.loads(text)) and (values is None or found == values)


@pytest.mark.parametrize('text', ['12', '-0.5e-7', 'true', '"a"', '[[1], {"b": [2]}]'])
def test_a_number_is_not_taken_for_finished_where_a_window_ends(text):
    stream = reader(text, 1)
    assert stream.value() == json.loads(text)
    assert stream.peek() == ''


def walk(text, chunk_bytes):
    stream = reader(text, chunk_bytes)
    content = {key: stream.value() for key in stream.members()}
    stream.finish()
    return content


def test_what_is_cut_or_spoilt_anywhere_fails_exactly_where_reading_at_once_fails():
    text = '{"a": [1.5, {"b": "c\\u00e9"}, -Infinity], "d": {"e": null}}'
    cases = [text[:cut] for cut in range(len(text))]
    generator = random.Random(0)
    for _ in range(200):
        at = generator.randrange(len(text))
        cases.append(text[:at] + generator.choice('{}[],:"x1\\ ') + text[at + 1:])
    for case in cases:
        try:
            expected = json.loads(case)
        except ValueError:
            expected = None
        for chunk_bytes in (1, 5, 1000):
            if isinstance(expected, dict):
                assert repr(walk(case, chunk_bytes)) == repr(expected), case
            else:
                with pytest.raises(NotJson):
                    walk(case, chunk_bytes)


@pytest.mark.parametrize('text, message', [
    (b'{"a": "\xff"}', 'not UTF-8'), (b'{"a": "\xe2\x82', 'not UTF-8'),
    ('{"a": 1} x', r'text follows after the end \(character 9\)'),
    ('{"a" 1}', r"':' is expected \(character 5\)"), ('{a: 1}', r'double quotes is expected \(character 1\)'),
    ('{"a": }', r'Expecting value \(character 6\)'), ('{"a": 1', "',' is expected"),
    ('', "'{' is expected"), ('{"a": ' + '[' * 100_000, 'recursion')])
def test_the_message_says_what_and_where(text, message):
    with pytest.raises(NotJson, match=message):
        walk(text, 4)


def test_an_early_mistake_in_a_long_value_is_found_before_the_rest_is_read():
    stream = io.BytesIO(b'[1, 2 3, ' + b'4, ' * 100_000 + b'5]')
    with pytest.raises(NotJson, match='character 6'):
        JsonReader(stream, chunk_bytes=64).value()
    assert stream.tell() <= 128


@pytest.mark.parametrize('chunk_bytes', [1, 3, 1000])
def test_what_is_looser_than_json_is_known_of_each_value_alone(chunk_bytes):
    text = '[{"a": NaN, "b": {"c": 1, "c": -Infinity, "c": 2}}, {"a": 1}, [{"d": 1, "d": 2}]]'
    stream = reader(text, chunk_bytes)
    seen = [(stream.constants, stream.repeated) for _ in stream.elements()]
    assert seen == [(['NaN', '-Infinity'], [('c', 3)]), ([], []), ([], [('d', 2)])]


@pytest.mark.parametrize('text', ['"%s"' % ('a' * 3000), '[%s1]' % ('1,' * 3000), ' ' * 3000 + '1'])
def test_a_value_that_is_too_long_is_not_read_to_its_end(text):
    stream = io.BytesIO(text.encode())
    with pytest.raises(TooLong, match='more than 1000 characters'):
        JsonReader(stream, chunk_bytes=64, max_value_chars=1000).value()
    assert stream.tell() <= 2048


def test_values_below_the_limit_may_be_many():
    text = '[%s]' % ', '.join(['"%s"' % ('a' * 900)] * 50)
    stream = JsonReader(io.BytesIO(text.encode()), chunk_bytes=64, max_value_chars=1000)
    assert sum(1 for _ in stream.elements()) == 50
