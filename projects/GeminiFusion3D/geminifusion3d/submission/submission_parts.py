"""The parts of a submission's JSON text, one after the other: flags, then sample after sample.

Between json_stream, which knows JSON, and validation and submission, which know the rules: nobody needs
to hold more of a file than the boxes of one sample.
"""
from dataclasses import dataclass
from typing import Any, BinaryIO, Iterator

from .json_stream import JsonReader

WHOLE, MEMBER, RESULTS, SAMPLE = 'whole', 'member', 'results', 'sample'


@dataclass(frozen=True)
class Part:
    """One piece of a submission.

    Attributes:
        kind: SAMPLE: what stands under a sample token; RESULTS: the samples begin here; MEMBER: what
            stands under another key of the top level, also results that are no object; WHOLE: the
            text holds something else than an object.
        key: the sample token, or the key of the top level.
        value: as parsed, NaN and repeated keys let pass.
        text: the JSON text of the value.
    """

    kind: str
    key: str = ''
    value: Any = None
    text: str = ''


def read_parts(stream: BinaryIO) -> Iterator[Part]:
    """Yields the parts in the order of the file.

    Raises:
        NotJson: where the text is not JSON; all before was handed out.
    """
    reader = JsonReader(stream)
    if reader.peek() != '{':
        value, text = reader.value()
        reader.finish()
        yield Part(WHOLE, '', value, text)
        return
    for key in reader.members():
        if key == 'results' and reader.peek() == '{':
            yield Part(RESULTS, key)
            for sample_token in reader.members():
                yield Part(SAMPLE, sample_token, *reader.value())
        else:
            yield Part(MEMBER, key, *reader.value())
    reader.finish()
