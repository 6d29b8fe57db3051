"""Check sums of text files: sha256sum's own format, lines that carry theirs, and what a change does."""
import hashlib
import json
import re
import subprocess

import pytest

from geminifusion3d import check_sums
from geminifusion3d.check_sums import json_lines, sealed_line, unsealed_line, warn_if_changed, write_sums
from geminifusion3d.errors import UserError

ROW = {'epoch': 1, 'iter': 2, 'loss': 0.25, 'name': 'über', 'crc32': 5}


@pytest.fixture(autouse=True)
def _says_anew(monkeypatch):
    monkeypatch.setattr(check_sums, 'said', set())


def test_a_list_is_what_sha256sum_reads_and_writes(tmp_path):
    (tmp_path / 'a.json').write_text('[1]')
    (tmp_path / 'b.json').write_text('[2]')
    write_sums(tmp_path, ['b.json'])
    write_sums(tmp_path, ['a.json'])
    text = (tmp_path / 'SHA256SUMS').read_text()
    assert text.splitlines()[0] == f'{hashlib.sha256(b"[1]").hexdigest()}  a.json'
    done = subprocess.run('sha256sum --check --strict SHA256SUMS && sha256sum a.json b.json', shell=True,
                          cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.endswith(text)


@pytest.mark.parametrize('spoil, said', [
    (lambda folder: (folder / 'a.json').write_text('[3]'), 'a.json has another check sum than'),
    (lambda folder: (folder / 'SHA256SUMS').write_text('x'), 'is damaged or lists files'),
    (lambda folder: (folder / 'SHA256SUMS').write_text(f'{"0" * 64}  b.json'), 'not there .b.json'),
    (lambda folder: (folder / 'SHA256SUMS').unlink(), ''), (lambda folder: None, '')])
def test_a_change_is_said_once(tmp_path, capsys, spoil, said):
    (tmp_path / 'a.json').write_text('[1]')
    write_sums(tmp_path, ['a.json'])
    spoil(tmp_path)
    for _ in range(2):
        warn_if_changed(tmp_path / 'a.json')
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == bool(said) and all(line.startswith('warning: ') for line in lines)
    assert not said or re.search(said, lines[0])


def test_a_line_holds_its_check_sum_and_none_of_its_flipped_bits_passes():
    line = sealed_line(ROW).encode()
    plain = {key: value for key, value in ROW.items() if key != 'crc32'}
    assert unsealed_line(line) == (plain, True) and json.loads(line)['iter'] == 2
    passed = []
    for place in range(len(line)):
        for bit in range(8):
            flipped = bytearray(line)
            flipped[place] ^= 1 << bit
            try:
                content, is_right = unsealed_line(bytes(flipped))
            except ValueError:
                continue
            if is_right and content != plain:
                passed.append(bytes(flipped))
    assert passed == []


def test_a_line_without_a_check_sum_is_read(tmp_path):
    assert unsealed_line(b'{"a": 1}\n') == ({'a': 1}, True)
    assert unsealed_line(b'{"a": 2, "crc32": 7}') == ({'a': 2}, False)
    (tmp_path / 'a').write_text('{"a": 1}\n\n[2]\n')
    assert list(json_lines(tmp_path / 'a')) == [{'a': 1}, [2]]


@pytest.mark.parametrize('end', [b'{"iter": 2, "lo', b'', b'{"iter": 2, "loss": [1'])
def test_a_last_line_that_a_killed_run_left_is_left_out(tmp_path, end):
    (tmp_path / 'a').write_bytes(sealed_line({'iter': 1}).encode() + end)
    assert list(json_lines(tmp_path / 'a')) == [{'iter': 1}]


@pytest.mark.parametrize('place', [3, 9, -1, -2, -30])
def test_a_damaged_line_is_named(tmp_path, place):
    data = bytearray(''.join(sealed_line({'iter': number}) for number in (1, 2)).encode())
    data[place] ^= 4
    (tmp_path / 'a').write_bytes(data)
    with pytest.raises(UserError, match=f'a, line {1 if place > 0 else "[12]"}, is damaged'):
        list(json_lines(tmp_path / 'a'))
