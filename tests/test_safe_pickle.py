"""Pickles are data: code in one is refused before it runs."""
import os
import pickle

import pytest

from geminifusion3d.errors import UserError
from geminifusion3d.safe_pickle import load_plain_pickle


class _RunsACommand:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple:
        return os.system, (self.command,)


def test_plain_data_comes_back(tmp_path):
    content = {'a': [1, 2.5, True, None, 'text'], 'b': {'c': (1, 2)}}
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(content))
    assert load_plain_pickle(tmp_path / 'a.pkl') == content


def test_code_is_not_executed(tmp_path):
    (tmp_path / 'a.pkl').write_bytes(pickle.dumps(_RunsACommand(f'touch {tmp_path}/ran')))
    with pytest.raises(UserError, match='asks for posix.system; expected plain data'):
        load_plain_pickle(tmp_path / 'a.pkl')
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('content', [b'', b'{"json": 1}', pickle.dumps({'a': [1, 2]})[:-4]])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / 'a.pkl').write_bytes(content)
    with pytest.raises(UserError, match='a.pkl is damaged or no pickle'):
        load_plain_pickle(tmp_path / 'a.pkl')


def test_a_missing_file_is_named_with_what_writes_it(tmp_path):
    with pytest.raises(UserError, match='b.pkl .*write it with gemini3d convert'):
        load_plain_pickle(tmp_path / 'b.pkl')
