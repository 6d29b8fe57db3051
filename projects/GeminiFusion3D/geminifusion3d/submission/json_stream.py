"""Reads JSON of any size value by value: only the value being read is held in memory.

Used by the judge (a full test submission is a gigabyte) and for the large nuScenes tables. The scanner
is the standard library's own, called on a window of the file: the window grows where a value does not
fit, up to a limit, so that no file takes more memory than a value of that length.
"""
import codecs
import json
import re
from collections import Counter
from typing import Any, BinaryIO, Dict, Iterator, List, Tuple

CHUNK_BYTES = 1 << 22
# A sample of 500 boxes takes a quarter of a million characters, written as generously as can be a million.
MAX_VALUE_CHARS = 1 << 24
# The longest thing but a string and a number that a cut can make look wrong: `-Infinity`, `\\uXXXX`.
_LONGEST_LITERAL = 16
_SPACE = re.compile(r'[ \t\n\r]*')


class NotJson(ValueError):
    """The text is not JSON; the message says where."""


class TooLong(NotJson):
    """One value, or the white space before it, is longer than anything that this reader is for."""


class JsonReader:
    """Walks a UTF-8 JSON text from its beginning to its end.

    NaN, Infinity and repeated keys pass, as in `json.loads`; of each value that was read it is known where
    it is looser than JSON.

    Args:
        stream: where bytes are read from.
        chunk_bytes: how many are read at once.
        max_value_chars: how long a value may be.

    Attributes:
        constants: each NaN, Infinity and -Infinity of the last value.
        repeated: key and number of times for each key that an object of the last value repeats.
    """

    def __init__(self, stream: BinaryIO, *, chunk_bytes: int = CHUNK_BYTES,
                 max_value_chars: int = MAX_VALUE_CHARS) -> None:
        self.constants: List[str] = []
        self.repeated: List[Tuple[str, int]] = []
        self._stream = stream
        self._chunk_bytes = chunk_bytes
        self._max_value_chars = max_value_chars
        self._to_text = codecs.getincrementaldecoder('utf-8')()
        self._decode = json.JSONDecoder(object_pairs_hook=self._object,
                                        parse_constant=self._constant).raw_decode
        self._text, self._at, self._passed = '', 0, 0
        self._has_more = True

    def peek(self) -> str:
        """Returns the next character that is no white space, '' at the end of the text."""
        skipped = 0
        while True:
            before = self._at
            self._at = _SPACE.match(self._text, before).end()  # type: ignore[union-attr]  # always matches
            skipped += self._at - before
            if self._at < len(self._text):
                return self._text[self._at]
            if skipped > self._max_value_chars:
                raise TooLong(f'more than {self._max_value_chars} characters of white space {self._place()}')
            if not self._fill():
                return ''

    def value(self) -> Any:
        """Reads one value of any kind."""
        if not self.peek():
            raise NotJson(f'the text ends where a value is expected {self._place()}')
        while True:
            failure, end = None, 0
            self.constants, self.repeated = [], []
            try:
                value, end = self._decode(self._text, self._at)
                may_be_cut = end == len(self._text)
            except json.JSONDecodeError as error:
                failure, may_be_cut = error, self._may_be_cut(error)
            except (ValueError, RecursionError) as error:
                raise NotJson(f'{error} {self._place()}') from None
            if may_be_cut and self._fill():
                continue
            if failure is not None:
                raise NotJson(f'{failure.msg} {self._place(failure.pos)}')
            self._at = end
            return value

    def members(self) -> Iterator[str]:
        """Yields the keys of the object that begins here; the caller reads each value in between."""
        self._take('{')
        if self.peek() != '}':
            while True:
                if self.peek() != '"':
                    raise NotJson(f'a key in double quotes is expected {self._place()}')
                key = self.value()
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
                yield self.value()
                if self.peek() == ']':
                    break
                self._take(',')
        self._take(']')

    def finish(self) -> None:
        """Makes sure that nothing but white space is left."""
        if self.peek():
            raise NotJson(f'text follows after the end {self._place()}')

    def _object(self, pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            counts = Counter(key for key, _ in pairs)
            self.repeated.extend((key, times) for key, times in counts.items() if times > 1)
        return content

    def _constant(self, name: str) -> float:
        self.constants.append(name)
        return float(name.replace('Infinity', 'inf'))

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise NotJson(f'{character!r} is expected {self._place()}')
        self._at += 1

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether an error can be one because the window ends in the middle of the value."""
        return (error.msg.startswith('Unterminated string')
                or error.pos >= len(self._text) - _LONGEST_LITERAL)

    def _fill(self) -> bool:
        """Drops what was read and adds to the window; False where the text is at its end."""
        while self._has_more:
            rest = self._text[self._at:]
            if len(rest) > self._max_value_chars:
                raise TooLong(f'a value of more than {self._max_value_chars} characters {self._place()}')
            # A window that doubles makes the whole effort for a long value linear in its length.
            chunk = self._stream.read(max(self._chunk_bytes, len(rest)))
            self._has_more = bool(chunk)
            try:
                added = self._to_text.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                raise NotJson(f'{error.reason} {self._place(len(self._text))}: it is not UTF-8') from None
            if added:
                self._passed += self._at
                self._text, self._at = rest + added, 0
                return True
        return False

    def _place(self, position: 'int | None' = None) -> str:
        return f'(character {self._passed + (self._at if position is None else position)})'
