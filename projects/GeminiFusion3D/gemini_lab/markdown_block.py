"""Parts of a Markdown file that a tool writes: everything between two comments of one name."""
import re
from pathlib import Path
from typing import Union

from geminifusion3d.atomic import write_whole
from geminifusion3d.errors import UserError


def replace_block(text: str, name: str, content: str) -> str:
    """Returns the text with what stands between `<!-- NAME:start -->` and `<!-- NAME:end -->` replaced.

    UserError unless the block stands there once.
    """
    start, end = f'<!-- {name}:start -->', f'<!-- {name}:end -->'
    pattern = re.compile(f'{re.escape(start)}.*?{re.escape(end)}', re.DOTALL)
    found = len(pattern.findall(text))
    if found != 1 or text.count(start) != 1 or text.count(end) != 1:
        raise UserError(f'found {found} blocks {start} ... {end}, expected one; put the two comments '
                        'where the generated part shall stand')
    return pattern.sub(lambda _: f'{start}\n{content.strip()}\n{end}', text)


def check_block(path: Union[str, Path], name: str) -> None:
    """Refuses a page that is not there or lacks the block, before anything long is done for it."""
    if not Path(path).is_file():
        raise UserError(f'{path} does not exist; name a Markdown file with the block {name}')
    replace_block(Path(path).read_text(), name, '')


def write_block(path: Union[str, Path], name: str, content: str) -> None:
    """Replaces a block of a file; the rest of the file stays as it is."""
    check_block(path, name)
    before = Path(path).read_text()
    text = replace_block(before, name, content)
    if text != before:
        write_whole(path, text)
