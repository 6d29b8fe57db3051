"""Which official scenes a synthetic version consists of, where and when they were recorded."""
from datetime import datetime, timedelta, timezone
from typing import List, NamedTuple, Optional

from nuscenes.utils.splits import mini_train, mini_val, test, train, val

from geminifusion3d.errors import UserError

from .city import LOCATIONS
from .seeding import make_rng
from .weather import is_night

_SPLITS = {'v1.0-mini': (mini_train, mini_val), 'v1.0-trainval': (train, val), 'v1.0-test': (test, [])}
VERSIONS = tuple(_SPLITS)


class Recording(NamedTuple):
    """When and where a scene was recorded; log_name is the stem of its files."""

    location: str
    log_name: str
    vehicle: str
    date: str
    start_us: int


def choose_scenes(version: str, count: Optional[int]) -> List[str]:
    """Returns official scene names, sorted.

    Fewer than all are taken from both splits in proportion, and at least one from each where two
    or more are wanted.

    Args:
        version: 'v1.0-mini', 'v1.0-trainval' or 'v1.0-test'.
        count: number of scenes; all of them where it is None.

    Raises:
        UserError: if the version is unknown or has fewer scenes.
    """
    if version not in _SPLITS:
        raise UserError(f'--version {version} is unknown: expected one of {", ".join(VERSIONS)}')
    learn, judge = _SPLITS[version]
    total = len(learn) + len(judge)
    count = total if count is None else count
    if not 1 <= count <= total:
        raise UserError(f'--scenes {count} is impossible: {version} has {total} official scenes, '
                        f'give a number from 1 to {total}')
    judged = round(count * len(judge) / total)
    if judge and count >= 2:
        judged = min(max(judged, 1), count - 1)
    judged = max(judged, count - len(learn))
    return sorted(learn[:count - judged] + judge[:judged])


def recording_of(seed: int, scene_name: str) -> Recording:
    """Returns when and where a scene was recorded; night scenes after sunset."""
    number = int(scene_name.split('-')[1])
    location = LOCATIONS[number % len(LOCATIONS)]
    in_boston = location == 'boston-seaport'
    zone = timezone(timedelta(hours=-4 if in_boston else 8))
    hour = 20 if is_night(scene_name) else 9 + number % 8
    start = datetime(2018, 6, 1, hour, number % 60, number % 53, tzinfo=zone) \
        + timedelta(days=number // 8)
    jitter_us = int(make_rng(seed, scene_name, 'clock').integers(0, 1_000_000))
    vehicle = 'n008' if in_boston else 'n015'
    stamp = start.strftime('%Y-%m-%d-%H-%M-%S%z')
    return Recording(location, f'{vehicle}-{stamp}', vehicle, start.strftime('%Y-%m-%d'),
                     int(start.timestamp()) * 1_000_000 + jitter_us)
