"""A generated block is replaced, nothing else, and a second time changes nothing."""
import pytest

from gemini_lab.markdown_block import replace_block, write_block
from geminifusion3d.errors import UserError

TEXT = 'before\n<!-- a:start -->\nold\n<!-- a:end -->\nbetween\n<!-- b:start -->\nkept\n<!-- b:end -->\n'


def test_only_the_named_block_changes():
    expected = TEXT.replace('old', '| new |\n| \\1 |')
    assert replace_block(TEXT, 'a', '\n| new |\n| \\1 |\n') == expected


def test_replacing_twice_is_replacing_once():
    once = replace_block(TEXT, 'a', 'new')
    assert replace_block(once, 'a', 'new') == once


@pytest.mark.parametrize('text', ['nothing', TEXT + TEXT, TEXT.replace('<!-- a:end -->', '')])
def test_the_block_must_stand_there_once(text):
    with pytest.raises(UserError, match='expected one'):
        replace_block(text, 'a', 'new')


def test_a_file_that_says_it_already_is_not_written(tmp_path):
    file = tmp_path / 'README.md'
    file.write_text(TEXT)
    write_block(file, 'a', 'new')
    stamp = file.stat().st_mtime_ns, file.stat().st_ino
    write_block(file, 'a', 'new')
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == stamp
    with pytest.raises(UserError, match='does not exist'):
        write_block(tmp_path / 'none.md', 'a', 'new')
