"""The rules that a submission obeys as a whole, whatever the dataset: flags, lists, limits.

Source: nuScenes detection README ("Results format", "Challenge tracks").
"""
from typing import Any, Collection, Dict, Iterator, List, Optional

from .findings import ERROR, WARNING, Finding
from .record_rules import check_record
from .sound_records import are_sound

TOP_LEVEL_KEYS = ('meta', 'results')
META_FLAGS = ('use_camera', 'use_lidar', 'use_radar', 'use_map', 'use_external')
MAX_BOXES_PER_SAMPLE = 500
# What a model may use at test time on each track; on `open`, everything.
TRACKS = {'lidar': ('use_lidar',), 'vision': ('use_camera',), 'open': META_FLAGS}


def check_content(content: Any) -> Iterator[Finding]:
    """Yields what is wrong with a parsed submission without looking at any dataset."""
    if not isinstance(content, dict):
        yield Finding(ERROR, 'top-level', f'got {type(content).__name__}, expected an object with '
                      'meta and results')
        return
    yield from check_top_level(content)
    if 'meta' in content:
        yield from check_meta(content['meta'])
    if 'results' in content:
        yield from check_results(content['results'])


def check_top_level(keys: Collection[str]) -> Iterator[Finding]:
    """Yields keys that are missing or too many at the top level."""
    for key in TOP_LEVEL_KEYS:
        if key not in keys:
            yield Finding(ERROR, 'top-level', f'{key} is missing, expected exactly meta and '
                          'results', field=key)
    for key in keys:
        if key not in TOP_LEVEL_KEYS:
            yield Finding(ERROR, 'top-level', f'got {key!r}, expected exactly meta and results',
                          field=key)


def check_meta(meta: Any) -> Iterator[Finding]:
    """Yields what is wrong with the declaration of the inputs used."""
    if not isinstance(meta, dict):
        yield Finding(ERROR, 'meta-type', f'got {type(meta).__name__}, expected an object of five '
                      'flags', field='meta')
        return
    for flag in META_FLAGS:
        if flag not in meta:
            yield Finding(ERROR, 'meta-missing-flag', f'{flag} is missing, expected true or false',
                          field=f'meta.{flag}')
        elif type(meta[flag]) is not bool:
            yield Finding(ERROR, 'meta-flag-type', f'got {meta[flag]!r}, expected true or false',
                          field=f'meta.{flag}')
    for flag in meta:
        if flag not in META_FLAGS:
            yield Finding(ERROR, 'meta-unknown-flag', f'got {flag!r}, expected exactly '
                          f'{", ".join(META_FLAGS)}', field=f'meta.{flag}')
    sensors = [meta.get(flag) for flag in META_FLAGS[:3]]
    if sensors == [False, False, False]:
        yield Finding(WARNING, 'meta-no-sensor', 'no sensor is declared as used, expected at '
                      'least one', field='meta')


def challenge_track(meta: Dict[str, bool]) -> str:
    """Returns the leaderboard track that these flags belong to: lidar, vision or open."""
    used = tuple(flag for flag in META_FLAGS if meta[flag])
    return next((track for track, allowed in TRACKS.items() if used == allowed), 'open')


def check_track(meta: Any, track: Optional[str]) -> Iterator[Finding]:
    """Yields the flags that a track does not allow.

    Args:
        meta: as parsed from JSON, of any type.
        track: one of TRACKS; None allows everything.
    """
    used = [flag for flag in META_FLAGS if meta.get(flag) is True] if isinstance(meta, dict) else []
    for flag in used:
        if track is not None and flag not in TRACKS[track]:
            yield Finding(ERROR, 'track', f'got true, expected false on the {track} track, which allows '
                          f'{" and ".join(TRACKS[track])} alone', field=f'meta.{flag}')


def check_results(results: Any) -> Iterator[Finding]:
    """Yields what is wrong with the lists of records."""
    if not isinstance(results, dict):
        yield Finding(ERROR, 'results-type', f'got {type(results).__name__}, expected an object '
                      'that maps sample tokens to lists', field='results')
        return
    for sample_token, records in results.items():
        yield from check_sample(records, sample_token)


def check_sample(records: Any, sample_token: str) -> Iterator[Finding]:
    """Yields what is wrong with what stands under one sample token."""
    field = f'results.{sample_token}'
    if not isinstance(records, list):
        yield Finding(ERROR, 'sample-type', f'got {type(records).__name__}, expected a list '
                      'of boxes (an empty one where nothing was found)', sample_token, field)
        return
    if len(records) > MAX_BOXES_PER_SAMPLE:
        yield Finding(ERROR, 'too-many-boxes', f'got {len(records)} boxes, expected at most '
                      f'{MAX_BOXES_PER_SAMPLE}', sample_token, field)
    if are_sound(records, sample_token):
        return
    for index, record in enumerate(records):
        yield from check_record(record, sample_token, index)
    yield from _check_duplicates(records, sample_token)


def _check_duplicates(records: List[Any], sample_token: str) -> Iterator[Finding]:
    """Yields records that repeat the class, place, size and rotation of an earlier one."""
    first_seen: Dict[Any, int] = {}
    for index, record in enumerate(records):
        try:
            key = (record['detection_name'], *record['translation'], *record['size'],
                   *record['rotation'])
            earlier = first_seen.setdefault(key, index)
        except (KeyError, TypeError):
            continue  # malformed records are reported by the record rules
        if earlier != index:
            yield Finding(WARNING, 'duplicate-box', f'repeats box {earlier}; the second can only '
                          'be a false positive', sample_token, f'results.{sample_token}[{index}]')
