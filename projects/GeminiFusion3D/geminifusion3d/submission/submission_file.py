"""Opens a submission, JSON or zip, and hands out its parts: flags, then sample after sample.

Between json_stream, which knows JSON, and validation and submission, which know the rules: nobody needs
to hold more of a file than the boxes of one sample. Python's own reader accepts NaN, Infinity and
repeated keys; a leaderboard's may not, and with repeated keys two readers can disagree about what was
submitted. Each part says where it holds such things.
"""
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Iterator, List, Optional, Tuple, Union, cast

from ..errors import UserError
from .findings import ERROR, WARNING, Finding
from .json_stream import JsonReader, TooLong
from .rules import shown, shown_key

WHOLE, MEMBER, RESULTS, SAMPLE = 'whole', 'member', 'results', 'sample'
# The largest submission, 6,019 samples of 500 boxes, takes 1.4 GB and shrinks to a third in a zip.
MAX_UNPACKED_BYTES = 8 << 30
MAX_RATIO, RATIO_MATTERS_FROM_BYTES = 200, 256 << 20


class ZipUnreadable(ValueError):
    """A zip is damaged, encrypted, or packed in a way that Python cannot unpack."""


@dataclass(frozen=True)
class Part:
    """One piece of a submission.

    Attributes:
        kind: SAMPLE: what stands under a sample token; RESULTS: the samples begin here; MEMBER: what
            stands under another key of the top level, also results that are no object; WHOLE: the
            text holds something else than an object.
        key: the sample token, or the key of the top level.
        value: as parsed; NaN and repeated keys pass.
        constants: each NaN and Infinity of the value, which are not JSON.
        repeated: key and number of times for each key that an object of the value repeats.
    """

    kind: str
    key: str = ''
    value: Any = None
    constants: Tuple[str, ...] = ()
    repeated: Tuple[Tuple[str, int], ...] = ()

    def text_findings(self) -> Iterator[Finding]:
        """Yields where the text of the value is looser than JSON."""
        token = self.key if self.kind == SAMPLE else ''
        place = f'results.{shown_key(token)}' if token else self.key
        for name in self.constants:
            yield Finding(ERROR, 'json-constant', f'got {name}, which is not JSON; expected finite numbers',
                          token, place)
        for key, times in self.repeated:
            yield duplicate_key(key, times, token, place)


def read_parts(stream: BinaryIO) -> Iterator[Part]:
    """Yields the parts in the order of the file.

    Args:
        stream: bytes of the JSON text.

    Raises:
        NotJson: where the text is not JSON; all before was handed out.
    """
    reader = JsonReader(stream)

    def part(kind: str, key: str = '') -> Part:
        value = reader.value()
        return Part(kind, key, value, tuple(reader.constants), tuple(reader.repeated))

    if reader.peek() != '{':
        whole = part(WHOLE)
        reader.finish()
        yield whole
        return
    for key in reader.members():
        if key == 'results' and reader.peek() == '{':
            yield Part(RESULTS, key)
            for sample_token in reader.members():
                yield part(SAMPLE, sample_token)
        else:
            yield part(MEMBER, key)
    reader.finish()


@contextmanager
def open_submission(path: Union[str, Path]) -> Iterator[Tuple[Optional[BinaryIO], List[Finding]]]:
    """Opens a JSON file, or the one in a zip.

    Args:
        path: results JSON, or a zip with one at its root.

    Yields:
        The bytes of the JSON text, None where there is none, and what is wrong with the file itself.

    Raises:
        UserError: if there is no such file or it may not be read.
        ZipUnreadable: if a zip is damaged, now or while its bytes are read.
    """
    if not Path(path).is_file():
        raise UserError(f'{path} is not a file; give a results JSON or the zip of one')
    try:
        plain = open(path, 'rb')
    except OSError as error:
        raise UserError(f'{path} cannot be read ({error.strerror}); give a file that you may read') from None
    with plain:
        if Path(path).suffix.lower() != '.zip' and not _is_zip(plain):
            plain.seek(0)
            yield plain, []
            return
        with _named_errors():
            archive = zipfile.ZipFile(plain)
            name, findings = _only_json(archive)
            member = archive.open(name) if name is not None else None
        yield cast(BinaryIO, _Member(member)) if member is not None else None, findings


def unreadable(error: Exception) -> Finding:
    """Returns the finding about a file of which the reading ended with NotJson or ZipUnreadable."""
    if isinstance(error, ZipUnreadable):
        return Finding(ERROR, 'zip-unreadable', f'the zip cannot be read: {error}', server_refuses=True)
    if isinstance(error, TooLong):
        return Finding(ERROR, 'too-long', f'the file was read no further: {error}; the boxes of a sample '
                       'take a hundredth of that')
    return Finding(ERROR, 'not-json', f'the file is not JSON: {error}', server_refuses=True)


def duplicate_key(key: str, times: int, sample_token: str = '', field: str = '') -> Finding:
    """Returns the finding about a key that stands several times in one object."""
    return Finding(ERROR, 'duplicate-key', f'the key {shown(key)} stands {times} times in one object, '
                   'expected once', sample_token, field)


class _Member:
    """The bytes of a file in a zip; whatever goes wrong while they are unpacked has one name."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def read(self, size: int) -> bytes:
        """Returns at most so many bytes, none at the end."""
        with _named_errors():
            return cast(bytes, self._stream.read(size))


@contextmanager
def _named_errors() -> Iterator[None]:
    """Turns what zipfile raises into ZipUnreadable: of a damaged zip that can be nearly anything."""
    try:
        yield
    except Exception as error:
        raise ZipUnreadable(str(error) or type(error).__name__) from error


def _is_zip(file: BinaryIO) -> bool:
    with _named_errors():
        return zipfile.is_zipfile(file)


def _only_json(archive: zipfile.ZipFile) -> Tuple[Optional[str], List[Finding]]:
    """Returns the name of the one JSON file at the root of a zip, and what is wrong around it."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    at_root = [entry for entry in entries if entry.filename.endswith('.json') and '/' not in entry.filename]
    if len(at_root) != 1:
        return None, [Finding(
            ERROR, 'zip-content', f'got {len(at_root)} JSON files at the root of the zip (it holds '
            f'{shown([entry.filename for entry in entries])}), expected exactly one', server_refuses=True)]
    unpacked, packed = at_root[0].file_size, at_root[0].compress_size
    if unpacked > MAX_UNPACKED_BYTES or unpacked > max(RATIO_MATTERS_FROM_BYTES, MAX_RATIO * packed):
        return None, [Finding(
            ERROR, 'zip-too-large', f'got {packed} bytes that unpack to {unpacked}; expected a submission, '
            f'at most {MAX_UNPACKED_BYTES} bytes and at most {MAX_RATIO} times as long unpacked')]
    return at_root[0].filename, [
        Finding(WARNING, 'zip-content', f'got {shown(entry.filename)} beside the JSON file, expected it '
                'alone') for entry in entries if entry is not at_root[0]]
