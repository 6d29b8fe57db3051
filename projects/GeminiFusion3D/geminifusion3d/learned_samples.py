"""Which samples weights or pasted objects come from, and how many of the scored ones are among them.

A record of samples is plain data, the same text in a checkpoint's `meta`, in `database.json` and in the
metadata of a .safetensors file: what the samples are of, the first six bytes of the SHA-256 of each one's
name, sorted, in base64 (eight characters a sample; two of a million names agree by chance once in 560 times),
and what was learned besides without a record. A name is nuScenes' token, the same in mini and trainval.
"""
import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any, Dict, FrozenSet, Iterable, Mapping, Optional, Sequence, Tuple

# Where a checkpoint's meta, a database and a test run's record hold it.
LEARNED = 'learned_samples'
FORMAT = 'geminifusion3d-samples-1'
DIGEST_BYTES = 6


@dataclass(frozen=True)
class SampleRecord:
    """A set of samples.

    Attributes:
        sources: what they are of, such as 'v1.0-mini mini_train (323 samples)'.
        digests: of their names, `DIGEST_BYTES` each.
        unknown: what besides is of samples that nobody wrote down.
    """

    sources: Tuple[str, ...] = ()
    digests: FrozenSet[bytes] = frozenset()
    unknown: Tuple[str, ...] = ()

    @classmethod
    def of(cls, source: str, names: Iterable[str]) -> 'SampleRecord':
        """Returns the record of named samples.

        Args:
            source: what they are of.
            names: of each sample, the same wherever it is read.
        """
        listed = list(names)
        return cls((f'{source} ({len(listed)} samples)',), frozenset(map(name_digest, listed)))

    @classmethod
    def read(cls, value: Any, owner: str) -> 'SampleRecord':
        """Reads what `to_plain` returned, or its JSON; anything else, None too, is a record of nothing known.

        Args:
            value: what a file holds.
            owner: the file, whose samples are unknown where it holds no record.
        """
        try:
            content = json.loads(value) if isinstance(value, str) else value
            packed = base64.b64decode(content['digests'], validate=True)
            if content['format'] != FORMAT or len(packed) % DIGEST_BYTES:
                raise ValueError(content['format'])
            sources, unknown = (tuple(map(str, content[key])) for key in ('sources', 'unknown'))
        except (KeyError, TypeError, ValueError, binascii.Error, RecursionError):
            return cls(unknown=(owner,))
        return cls(sources, frozenset(packed[start:start + DIGEST_BYTES]
                                      for start in range(0, len(packed), DIGEST_BYTES)), unknown)

    def to_plain(self) -> Dict[str, Any]:
        """Returns plain values, ready for JSON."""
        return dict(format=FORMAT, sources=list(self.sources), unknown=list(self.unknown),
                    digests=base64.b64encode(b''.join(sorted(self.digests))).decode())

    def __or__(self, other: 'SampleRecord') -> 'SampleRecord':
        """Returns the samples of both, each source once."""
        return SampleRecord(tuple(dict.fromkeys(self.sources + other.sources)), self.digests | other.digests,
                            tuple(dict.fromkeys(self.unknown + other.unknown)))


@dataclass(frozen=True)
class Overlap:
    """How many of the scored samples were learned.

    Attributes:
        scored: number of samples that are scored and have names.
        learned: how many of them were learned, as far as that was written down.
        sources: what was learned.
        unknown: what was learned besides.
    """

    scored: int
    learned: int
    sources: Sequence[str]
    unknown: Sequence[str]

    @classmethod
    def between(cls, scored: SampleRecord, learned: SampleRecord) -> 'Overlap':
        """Compares two records.

        Args:
            scored: the samples of an evaluation.
            learned: those of its weights.
        """
        return cls(len(scored.digests), len(scored.digests & learned.digests), learned.sources,
                   learned.unknown)

    def to_plain(self) -> Dict[str, Any]:
        """Returns plain values, ready for JSON."""
        return dict(scored=self.scored, learned=self.learned, sources=list(self.sources),
                    unknown=list(self.unknown))


def overlap_sentence(overlap: Mapping[str, Any]) -> str:
    """Returns what a reader of the score has to know; empty where nothing scored was learned.

    Args:
        overlap: as `Overlap.to_plain` returns it.
    """
    scored, learned, unknown = overlap['scored'], overlap['learned'], ', '.join(overlap['unknown'])
    if learned:
        return (f'{learned} of {scored} scored samples were learned (from {", ".join(overlap["sources"])}): '
                'the score says how well they are remembered, not what is found elsewhere')
    if scored and unknown:
        return f'unknown whether scored samples were learned: {unknown} has no record of its samples'
    return ''


def said_of(overlap: Optional[Overlap]) -> Dict[str, Any]:
    """Returns what a file of scores says about it: nothing where nobody compared."""
    return {LEARNED: overlap.to_plain()} if overlap else {}


def name_digest(name: str) -> bytes:
    """Returns the digest that stands for a sample's name."""
    return hashlib.sha256(name.encode()).digest()[:DIGEST_BYTES]


def samples_of(dataset: Any) -> SampleRecord:
    """Returns the samples that a dataset can yield, through wrappers, and those of objects that it pastes.

    Args:
        dataset: any dataset; one inside has a method `sample_record`, or its samples are unknown.
    """
    if hasattr(dataset, 'sample_record'):
        record: SampleRecord = dataset.sample_record()
        return _joined([record, *_pasted(getattr(dataset, 'pipeline', None))])
    if hasattr(dataset, 'datasets'):
        return _joined(map(samples_of, dataset.datasets))
    if hasattr(dataset, 'dataset'):
        return samples_of(dataset.dataset)
    return SampleRecord(unknown=(f'a {type(dataset).__name__}',))


def _pasted(step: Any) -> Iterable[SampleRecord]:
    """Yields the records of the transforms that bring samples of their own, also of steps inside others."""
    if hasattr(step, 'sample_record'):
        yield step.sample_record()
    for name in ('transforms', 'steps'):
        for inner in getattr(step, name, None) or ():
            yield from _pasted(inner)


def _joined(records: Iterable[SampleRecord]) -> SampleRecord:
    joined = SampleRecord()
    for record in records:
        joined |= record
    return joined
