"""Files that are whole or absent."""
import json
import os

import pytest

from geminifusion3d.atomic import atomic_write, unsealed, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / 'file.txt'
    target.write_text('old')
    with pytest.raises(RuntimeError):
        with atomic_write(target) as part:
            part.write_text('half')
            raise RuntimeError
    assert target.read_text() == 'old'
    assert os.listdir(tmp_path) == ['file.txt']


def test_a_finished_write_replaces_the_file_and_creates_its_folder(tmp_path):
    target = tmp_path / 'new' / 'file.txt'
    for text in ('one', 'two'):
        with atomic_write(target) as part:
            assert part.parent == target.parent
            part.write_text(text)
        assert target.read_text() == text
    assert os.listdir(target.parent) == ['file.txt']


def test_a_finished_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / 'plain').write_text('')
    with atomic_write(tmp_path / 'ours') as part:
        part.write_text('')
    assert (tmp_path / 'ours').stat().st_mode == (tmp_path / 'plain').stat().st_mode


@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_json_refuses_numbers_that_it_cannot_carry(tmp_path, number):
    with pytest.raises(ValueError, match='JSON'):
        write_json(tmp_path / 'file.json', {'value': number})
    assert os.listdir(tmp_path) == []


def test_json_comes_back(tmp_path):
    content = {'a': [1, 2.5, None, 'ü']}
    write_json(tmp_path / 'file.json', content, indent=1)
    assert json.loads((tmp_path / 'file.json').read_text()) == content


def test_what_a_killed_writer_left_is_removed_by_the_next_and_a_living_one_keeps_its_file(tmp_path):
    (tmp_path / '.file.txt.abc.part').write_bytes(b'half')
    (tmp_path / '.other.txt.abc.part').write_bytes(b'half')
    with atomic_write(tmp_path / 'file.txt') as living:
        living.write_text('first')
        with atomic_write(tmp_path / 'file.txt') as second:
            second.write_text('second')
        assert living.exists()
    assert sorted(os.listdir(tmp_path)) == ['.other.txt.abc.part', 'file.txt']
    assert (tmp_path / 'file.txt').read_text() == 'first'


def test_a_sealed_file_comes_back_and_a_changed_digit_is_noticed(tmp_path):
    content = {'b': [1, 2.5, None, 'ü'], 'a': {'2': 3}}
    write_json(tmp_path / 'file.json', content, sealed=True)
    text = (tmp_path / 'file.json').read_text()
    assert unsealed(json.loads(text)) == content
    with pytest.raises(ValueError, match='digest'):
        unsealed(json.loads(text.replace('2.5', '2.6')))
    assert unsealed([1]) == [1] and unsealed({'a': 1}) == {'a': 1}
