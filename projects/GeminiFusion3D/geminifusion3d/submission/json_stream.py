"""Reads JSON of any size value by value: only the value being read is held in memory.

Used by the validator (a full test submission is a gigabyte) and for the large nuScenes tables. The
scanner is the standard library's own, called on a window of the file: the window grows where a value
does not fit.
"""
import codecs
import json
import re
from typing import Any, BinaryIO, Iterator, Tuple

CHUNK_BYTES = 1 << 22
# The longest thing but a string and a number that a cut can make look wrong: `-Infinity`, `\\uXXXX`.
_LONGEST_LITERAL = 16
_SPACE = re.compile(r'[ \t\n\r]*')


class NotJson(ValueError):
    """The text is not JSON; the message says where."""


class JsonReader:
    """Walks a UTF-8 JSON text from its beginning to its end.

    NaN, Infinity and repeated keys pass, as in `json.loads`; `value` hands the text over for a closer
    look.

    Args:
        stream: where bytes are read from.
        chunk_bytes: how many are read at once.
    """

    def __init__(self, stream: BinaryIO, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._stream = stream
        self._chunk_bytes = chunk_bytes
        self._to_text = codecs.getincrementaldecoder('utf-8')()
        self._decode = json.JSONDecoder().raw_decode
        self._text, self._at, self._passed = '', 0, 0
        self._has_more = True

    def peek(self) -> str:
        """Returns the next character that is no white space, '' at the end of the text."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._fill():
                return ''

    def value(self) -> Tuple[Any, str]:
        """Reads one value of any kind; returns it and its text."""
        if not self.peek():
            raise self._not_json('the text ends where a value is expected', self._at)
        while True:
            failure, end = None, 0
            try:
                value, end = self._decode(self._text, self._at)
                may_be_cut = end == len(self._text)
            except json.JSONDecodeError as error:
                failure, may_be_cut = error, self._may_be_cut(error)
            except (ValueError, RecursionError) as error:
                raise self._not_json(str(error), self._at) from None
            if may_be_cut and self._fill():
                continue
            if failure is not None:
                raise self._not_json(failure.msg, failure.pos)
            text, self._at = self._text[self._at:end], end
            return value, text

    def members(self) -> Iterator[str]:
        """Yields the keys of the object that begins here; the caller reads each value in between."""
        self._take('{')
        if self.peek() != '}':
            while True:
                if self.peek() != '"':
                    raise self._not_json('a key in double quotes is expected', self._at)
                key = self.value()[0]
                self._take(':')
                yield key
                if self.peek() == '}':
                    break
                self._take(',')
        self._take('}')

    def elements(self) -> Iterator[Any]:
        """Yields the values of the array that begins here."""
        self._take('[')
        if self.peek() != ']':
            while True:
                yield self.value()[0]
                if self.peek() == ']':
                    break
                self._take(',')
        self._take(']')

    def finish(self) -> None:
        """Makes sure that nothing but white space is left."""
        if self.peek():
            raise self._not_json('text follows after the end', self._at)

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise self._not_json(f'{character!r} is expected', self._at)
        self._at += 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether an error can be one because the window ends in the middle of the value."""
        return (error.msg.startswith('Unterminated string')
                or error.pos >= len(self._text) - _LONGEST_LITERAL)

    def _fill(self) -> bool:
        """Drops what was read and adds to the window; False where the text is at its end."""
        while self._has_more:
            rest = self._text[self._at:]
            # A window that doubles makes the whole effort for a long value linear in its length.
            chunk = self._stream.read(max(self._chunk_bytes, len(rest)))
            self._has_more = bool(chunk)
            try:
                added = self._to_text.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise NotJson(f'{error.reason} near character {self._passed + len(self._text)}: it is '
                              'not UTF-8') from None
            if added:
                self._passed += self._at
                self._text, self._at = rest + added, 0
                return True
        return False

    def _not_json(self, message: str, position: int) -> NotJson:
        return NotJson(f'{message} (character {self._passed + position})')
